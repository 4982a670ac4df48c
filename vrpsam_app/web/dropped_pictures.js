// Pictures dropped or pasted go through the page's own upload button, so that the server checks them like
// all others. Joined to canvas.js and board.js, in the same function: `element` and `props` are theirs.

function acceptPictures(zone, most) {
  const note = zone.querySelector('.drop-note');

  function handOver(files) {
    const input = document.querySelector(props.upload_selector);
    const transfer = new DataTransfer();
    for (const file of files) {
      const isPicture = file.type.startsWith('image/') || /\.tiff?$/i.test(file.name);
      if (isPicture && transfer.items.length < most) transfer.items.add(file);
    }
    if (!input || !transfer.files.length) return;
    input.files = transfer.files;
    input.dispatchEvent(new Event('change', { bubbles: true }));
  }

  zone.addEventListener('dragover', (event) => {
    event.preventDefault();
    note.hidden = false;
  });
  zone.addEventListener('dragleave', (event) => {
    if (!zone.contains(event.relatedTarget)) note.hidden = true;
  });
  zone.addEventListener('drop', (event) => {
    event.preventDefault();
    note.hidden = true;
    handOver(event.dataTransfer.files);
  });
  element.addEventListener('paste', (event) => handOver(event.clipboardData.files));
}
