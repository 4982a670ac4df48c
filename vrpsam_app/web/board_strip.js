// All searched pictures, small. Joined to board.js, in the same function.

const strip = element.querySelector('.board-strip');
const thumbs = new Map(); // id of a picture -> its element
const SIGNS = { accept: '✓', fix: '✎', reject: '✗' };
const SIGN_WORDS = { accept: 'accepted', fix: 'to be fixed', reject: 'rejected' };

let byDoubt = false;

function makeThumb(id) {
  const thumb = document.createElement('div');
  thumb.className = 'thumb';
  thumb.setAttribute('role', 'option');
  thumb.tabIndex = -1;
  const canvas = document.createElement('canvas');
  const badge = document.createElement('span');
  badge.className = 'badge';
  const sign = document.createElement('span');
  sign.className = 'sign';
  const name = document.createElement('span');
  name.className = 'thumb-name';
  const remove = document.createElement('button');
  remove.type = 'button';
  remove.textContent = '×';
  remove.tabIndex = -1;
  remove.onclick = (event) => {
    event.stopPropagation();
    takeOut(id);
  };
  thumb.append(canvas, badge, sign, name, remove);
  thumb.onclick = () => choose(id);
  return thumb;
}

function takeOut(id) {
  send({ about: id });
  trigger('remove');
}

// The next picture takes the focus, as its neighbour is gone.
function takeOutShown() {
  const order = inOrder();
  const at = order.findIndex(({ id }) => id === shown);
  const gone = shown;
  if (order.length > 1) chooseBy(order[at + 1] ? 1 : -1);
  takeOut(gone);
}

// How sure the answer is: of a mask its score, of none that there is nothing.
function certainty(id) {
  const asked = classesOf(id);
  if (!asked.length) return 2; // without an answer, last
  if (answerOf(id).note) return 0; // which says why it is doubtful
  return Math.min(...asked.map((each) => (each.present ? each.score : 1 - each.presence)));
}

function inOrder() {
  const pictures = [...props.pictures];
  if (byDoubt) pictures.sort((a, b) => certainty(a.id) - certainty(b.id));
  return pictures;
}

function paintThumb(picture, thumb) {
  const canvas = thumb.firstElementChild;
  const image = photos.get(picture.id);
  if (!image) return;
  const ratio = Math.min(2, window.devicePixelRatio || 1);
  const [width, height] = [132 * ratio, 84 * ratio];
  canvas.width = width;
  canvas.height = height;
  const pen = canvas.getContext('2d');
  const scale = Math.max(width / picture.width, height / picture.height);
  pen.translate((width - picture.width * scale) / 2, (height - picture.height * scale) / 2);
  pen.drawImage(image, 0, 0, picture.width * scale, picture.height * scale);
  const cut = cutOf(picture.id);
  if (cut) drawCut(pen, cut, picture, scale, opacity, isOld(picture.id) ? 0.4 : 1);
}

function showStrip() {
  for (const [id, thumb] of thumbs) {
    if (pictureOf(id)) continue;
    thumb.remove();
    thumbs.delete(id);
  }
  const pictures = inOrder();
  for (const { id } of pictures) {
    if (!thumbs.has(id)) thumbs.set(id, makeThumb(id));
  }
  const order = pictures.map(({ id }) => thumbs.get(id));
  if (order.some((thumb, at) => thumb !== strip.children[at])) strip.replaceChildren(...order);
  for (const picture of pictures) showThumb(picture, thumbs.get(picture.id));
}

function showThumb(picture, thumb) {
  const [, badge, sign, name, remove] = thumb.children;
  const decision = decisions[picture.id];
  const { title, detail } = captionOf(picture.id);
  thumb.dataset.state = stateOf(picture.id);
  thumb.dataset.doubtful = String(isDoubtful(picture.id));
  thumb.dataset.decision = decision || '';
  thumb.setAttribute('aria-selected', String(picture.id === shown));
  thumb.tabIndex = picture.id === shown ? 0 : -1;
  const said = [title, detail, SIGN_WORDS[decision]].filter(Boolean).join(', ');
  thumb.setAttribute('aria-label', picture.name + ': ' + said);
  thumb.title = picture.name + ': ' + said;
  badge.textContent = badgeOf(picture.id);
  sign.textContent = SIGNS[decision] || (reopened.has(picture.id) ? '?' : '');
  name.textContent = picture.name;
  remove.setAttribute('aria-label', 'Take out ' + picture.name);
  remove.title = 'Take out ' + picture.name;
}

// Thumbnails follow the sliders when there is time.
let thumbsDue = 0;
function paintThumbsSoon() {
  cancelAnimationFrame(thumbsDue);
  const queue = inOrder();
  const next = () => {
    const picture = queue.shift();
    if (!picture) return;
    if (thumbs.has(picture.id)) paintThumb(picture, thumbs.get(picture.id));
    thumbsDue = requestAnimationFrame(next);
  };
  thumbsDue = requestAnimationFrame(next);
}

function chooseBy(places) {
  const order = inOrder();
  const at = order.findIndex(({ id }) => id === shown) + places;
  if (!order[at]) return;
  choose(order[at].id);
  const thumb = thumbs.get(order[at].id);
  const inStrip = strip.contains(document.activeElement);
  thumb.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  if (inStrip) thumb.focus({ preventScroll: true });
}
