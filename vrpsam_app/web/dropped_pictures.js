// Files dropped or pasted go through the page's own upload button, so that the server checks them like all
// others. Joined to canvas.js and board.js, in the same function: `element` and `props` are theirs.

const PICTURE_NAMES = /\.tiff?$/i; // browsers do not know them as pictures
const MOVIE_NAMES = /\.(mp4|m4v|mov|avi|webm|mkv)$/i;

function acceptPictures(zone, { movies }) {
  const note = element.querySelector('.drop-note');

  function fits({ type, name }) {
    if (type.startsWith('image/') || PICTURE_NAMES.test(name)) return true;
    return movies && (type.startsWith('video/') || MOVIE_NAMES.test(name));
  }

  function handOver(files) {
    const input = document.querySelector(props.upload_selector);
    const transfer = new DataTransfer();
    for (const file of files) if (fits(file)) transfer.items.add(file);
    if (!input || !transfer.files.length) return false;
    input.files = transfer.files;
    input.dispatchEvent(new Event('change', { bubbles: true }));
    return true;
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
  // Pasted where the person works, or points at while nothing has the focus.
  document.addEventListener('paste', (event) => {
    const focus = document.activeElement;
    const mine = element.contains(focus) || (focus === document.body && element.matches(':hover'));
    if (mine && !focus.matches('input') && handOver(event.clipboardData.files)) event.preventDefault();
  });
}

// Gradio takes no file whose name begins with a dot, and for one of them none of the others: most folders of a
// Mac hold a .DS_Store.
function leaveHiddenFilesOut() {
  document.addEventListener(
    'change',
    ({ target: input }) => {
      const hidden = [...(input.files || [])].filter(({ name }) => name.startsWith('.'));
      if (!hidden.length) return;
      const transfer = new DataTransfer();
      for (const file of input.files) if (!hidden.includes(file)) transfer.items.add(file);
      input.files = transfer.files;
    },
    true, // before Gradio hears of it
  );
}
