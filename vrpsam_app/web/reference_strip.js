// The pictures that carry marks, small, with the marks on them. Joined to canvas.js, in the same function.

const referenceStrip = element.querySelector('.reference-strip');
const referenceThumbs = new Map(); // id of a picture -> its element
const THUMB_SIDE = 112; // of its canvas; it is shown at half of that

function referenceThumb(picture) {
  const thumb = document.createElement('div');
  thumb.className = 'reference';
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'reference-open';
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = THUMB_SIDE;
  const note = document.createElement('span');
  note.className = 'reference-note';
  button.append(canvas, note);
  button.onclick = () => turnTo(picture.id);
  const remove = removeButton('Take out ' + picture.name, () => removeReference(picture.id));
  thumb.append(button, remove);
  return thumb;
}

function removeReference(id) {
  send({ about: id });
  trigger('remove_reference');
}

function paintThumb(picture, thumb) {
  const canvas = thumb.querySelector('canvas');
  const image = photos.get(picture.id);
  if (!image) return;
  const pen = canvas.getContext('2d');
  const scale = Math.max(THUMB_SIDE / picture.width, THUMB_SIDE / picture.height);
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.translate((THUMB_SIDE - picture.width * scale) / 2, (THUMB_SIDE - picture.height * scale) / 2);
  pen.drawImage(image, 0, 0, picture.width * scale, picture.height * scale);
  for (const mark of marksOn(picture.id)) drawMark(pen, mark, picture, scale);
}

function referenceWords(marks) {
  const labels = [...new Set(marks.map((mark) => mark.label))];
  if (!labels.length) return 'no mark';
  return labels
    .map((label) => (marks.some((mark) => mark.label === label && mark.positive) ? label : 'not ' + label))
    .join(', ');
}

function showReferences() {
  for (const [id, thumb] of referenceThumbs) {
    if (pictureOf(id)) continue;
    thumb.remove();
    referenceThumbs.delete(id);
  }
  const add = referenceStrip.querySelector('.reference-add');
  for (const picture of props.pictures) {
    if (!referenceThumbs.has(picture.id)) referenceThumbs.set(picture.id, referenceThumb(picture));
    const thumb = referenceThumbs.get(picture.id);
    if (thumb.nextElementSibling === null) referenceStrip.insertBefore(thumb, add);
    const words = referenceWords(marksOn(picture.id));
    const [button, remove] = thumb.children;
    button.setAttribute('aria-pressed', String(picture.id === shown));
    button.setAttribute('aria-label', picture.name + ': ' + words);
    button.title = picture.name + ': ' + words;
    const note = button.querySelector('.reference-note');
    const labels = [...new Set(marksOn(picture.id).map((mark) => mark.label))];
    note.textContent = labels.length > 1 ? labels.length + ' kinds' : words;
    note.style.setProperty('--tint', labels.length ? classColour(labels[0]) : 'transparent');
    thumb.classList.toggle('not-this', words.startsWith('not '));
    remove.hidden = props.pictures.length < 2;
    paintThumb(picture, thumb);
  }
}
