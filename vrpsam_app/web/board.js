// The pictures that are searched: one large, all of them small below. Gradio runs this as the body of
// a function of (element, trigger, props, server, upload, watch). `props.tiles` comes from Python;
// `props.value` is {shown, removed}: which tile is large, and which one the person took out.

const stage = element.querySelector('.board-stage');
const large = stage.querySelector('img');
const empty = element.querySelector('.board-empty');
const compare = element.querySelector('.board-compare');
const caption = element.querySelector('.board-caption');
const strip = element.querySelector('.board-strip');
const plain = new Map(); // tile id -> the picture without a result, kept for comparing
const thumbs = new Map(); // tile id -> its element
let shown = null;
let comparing = false;

function tile(id) {
  return (props.tiles || []).find((candidate) => candidate.id === id);
}

function makeThumb(id) {
  const thumb = document.createElement('div');
  thumb.className = 'thumb';
  thumb.setAttribute('role', 'option');
  thumb.tabIndex = 0;
  const image = document.createElement('img');
  image.alt = '';
  const badge = document.createElement('span');
  badge.className = 'badge';
  const name = document.createElement('span');
  name.className = 'thumb-name';
  const remove = document.createElement('button');
  remove.type = 'button';
  remove.textContent = '×';
  remove.onclick = (event) => {
    event.stopPropagation();
    props.value = { shown, removed: id };
    trigger('remove');
  };
  thumb.append(image, badge, name, remove);
  thumb.onclick = () => choose(id);
  thumb.onkeydown = (event) => {
    if (event.target === thumb && (event.key === 'Enter' || event.key === ' ')) {
      event.preventDefault();
      choose(id);
    }
  };
  return thumb;
}

function choose(id) {
  if (id === shown) return;
  shown = id;
  render();
  props.value = { shown, removed: null };
  trigger('pick');
}

function setSource(image, source) {
  if (image.getAttribute('src') !== source) image.src = source;
}

function render() {
  const tiles = props.tiles || [];
  for (const each of tiles) {
    if (each.state === 'waiting') plain.set(each.id, each.src);
    if (!thumbs.has(each.id)) thumbs.set(each.id, makeThumb(each.id));
    const thumb = thumbs.get(each.id);
    const [image, badge, name, remove] = thumb.children;
    setSource(image, each.src);
    thumb.dataset.state = each.state;
    thumb.setAttribute('aria-selected', String(each.id === shown));
    thumb.setAttribute('aria-label', each.name + ': ' + each.caption);
    badge.textContent = each.badge;
    name.textContent = each.name;
    remove.setAttribute('aria-label', 'Take out ' + each.name);
  }
  for (const id of [...thumbs.keys()]) {
    if (!tile(id)) {
      thumbs.delete(id);
      plain.delete(id);
    }
  }
  const order = tiles.map((each) => thumbs.get(each.id));
  if (order.length !== strip.children.length || order.some((thumb, at) => thumb !== strip.children[at])) {
    strip.replaceChildren(...order);
  }
  const current = tile(shown);
  empty.hidden = Boolean(current);
  large.hidden = !current;
  compare.hidden = !current || current.state !== 'found' || !plain.has(shown);
  stage.dataset.state = current ? current.state : 'empty';
  const [title, detail] = caption.children;
  title.textContent = current ? current.caption : '';
  detail.textContent = current ? current.detail : '';
  if (!current) return;
  setSource(large, comparing && plain.has(shown) ? plain.get(shown) : current.src);
  large.alt = current.name + ': ' + current.caption + '. ' + current.detail;
}

function update() {
  const tiles = props.tiles || [];
  if (!tile(shown)) {
    shown = tiles.length ? tiles[0].id : null;
    props.value = { shown, removed: null };
  }
  render();
}

function holdCompare(on) {
  comparing = on;
  render();
}
compare.addEventListener('pointerdown', (event) => {
  compare.setPointerCapture(event.pointerId);
  holdCompare(true);
});
for (const end of ['pointerup', 'pointercancel', 'blur']) {
  compare.addEventListener(end, () => holdCompare(false));
}
compare.addEventListener('keydown', (event) => {
  if (event.key === ' ' || event.key === 'Enter') holdCompare(true);
});
compare.addEventListener('keyup', () => holdCompare(false));
compare.addEventListener('contextmenu', (event) => event.preventDefault());

acceptPictures(element, Infinity);
watch('tiles', update);
update();
