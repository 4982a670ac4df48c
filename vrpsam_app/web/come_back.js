() => {
  try {
    const kept = sessionStorage.getItem('vrpsam-visit');
    sessionStorage.removeItem('vrpsam-visit');
    // Who typed the address begins again.
    const [{ type }] = performance.getEntriesByType('navigation');
    return [null, type === 'navigate' ? null : JSON.parse(kept)];
  } catch {
    return [null, null];
  }
}
