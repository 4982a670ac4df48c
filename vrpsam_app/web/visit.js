// What a page that is loaded again needs to go on. Gradio runs this as the body of a function of (element,
// trigger, props, ...). `props.value` is the visit's token, from Python.

// Only while the page is away does it lie where a copy of the tab would find it: two tabs never share a visit.
addEventListener('pagehide', () => {
  if (!props.value) return;
  const kept = { token: props.value };
  document.dispatchEvent(new CustomEvent('vrpsam-leaving', { detail: kept }));
  for (const content of [kept, { token: props.value }]) {
    try {
      sessionStorage.setItem('vrpsam-visit', JSON.stringify(content));
      return;
    } catch {
      // Too much for the browser, which then keeps the pictures at least; or it keeps nothing at all.
    }
  }
});
addEventListener('pageshow', ({ persisted }) => persisted && sessionStorage.removeItem('vrpsam-visit'));

element.querySelector('button').onclick = () => {
  if (!confirm('Begin again, without these pictures, marks and results?')) return;
  props.value = '';
  location.reload();
};
