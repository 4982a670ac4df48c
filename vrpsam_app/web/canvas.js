// The picture that is marked. Gradio runs this as the body of a function of (element, trigger, props,
// server, upload, watch). Marks are kept in pixels of the original picture, x to the right and y
// down, pixel i covering [i, i + 1), in the JSON form of vrpsam_app/annotations.py. Nothing is sent
// while drawing: `props.value` is set when a mark is finished, and 'stroke' follows when the hand rests.

const REST_MS = 150; // a second mark within this time joins the first one's request
const MAX_ZOOM = 16;
const SMALLEST_BOX = 4; // on the screen; anything smaller is a click that slipped

const stage = element.querySelector('.marker-stage');
const canvas = stage.querySelector('canvas');
const pen = canvas.getContext('2d');
const hint = element.querySelector('.marker-hint');
const list = element.querySelector('.mark-list');
const widthRow = element.querySelector('.marker-width');
const widthInput = widthRow.querySelector('input');
const fitButton = element.querySelector('[data-do=fit]');

const HINTS = {
  point: 'Click the object. Right-click what it is not.',
  box: 'Drag a box around one object. It may be loose.',
  scribble: 'Draw along the object, one quick stroke.',
};

let picture = null; // {id, src, width, height, marks}
let photo = null; // the picture as an HTMLImageElement, possibly smaller than the original
let marks = [];
let past = [];
let future = [];
let tool = 'box';
let positive = true;
let strokeWidth = 8; // pixels of the original picture
let drawing = null; // the mark under the pointer, not yet kept
let cursor = null; // where the arrow keys have moved to, in picture pixels
let view = { zoom: 1, x: 0, y: 0 }; // offset in CSS pixels
let pinch = null;
let rest = 0;
const fingers = new Map();

// ---- where things are ----------------------------------------------------------------------------

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const hundredths = (value) => Math.round(value * 100) / 100;

function cssScale() {
  const rect = canvas.getBoundingClientRect();
  return { x: (rect.width / picture.width) * view.zoom, y: (rect.height / picture.height) * view.zoom };
}

function toPicture(event) {
  const rect = canvas.getBoundingClientRect();
  const scale = cssScale();
  return [
    clamp(hundredths((event.clientX - rect.left - view.x) / scale.x), 0, picture.width),
    clamp(hundredths((event.clientY - rect.top - view.y) / scale.y), 0, picture.height),
  ];
}

// A point on the far edge belongs to the last pixel, not to one beyond it.
const insidePicture = ([x, y]) => [Math.min(x, picture.width - 0.01), Math.min(y, picture.height - 0.01)];

function setView(next) {
  const rect = canvas.getBoundingClientRect();
  const zoom = clamp(next.zoom, 1, MAX_ZOOM);
  view = {
    zoom,
    x: clamp(next.x, rect.width * (1 - zoom), 0),
    y: clamp(next.y, rect.height * (1 - zoom), 0),
  };
  fitButton.hidden = zoom === 1;
  draw();
}

function zoomAround(factor, clientX, clientY) {
  const rect = canvas.getBoundingClientRect();
  const zoom = clamp(view.zoom * factor, 1, MAX_ZOOM);
  const grown = zoom / view.zoom;
  const [u, v] = [clientX - rect.left, clientY - rect.top];
  setView({ zoom, x: u - (u - view.x) * grown, y: v - (v - view.y) * grown });
}

// ---- drawing on the screen -----------------------------------------------------------------------

function fitCanvas() {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio);
  const height = Math.round(canvas.clientHeight * ratio);
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  if (picture) setView(view);
}

function draw() {
  if (!photo || !canvas.width) return;
  const ratio = canvas.width / canvas.clientWidth;
  const scale = cssScale();
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.setTransform(ratio, 0, 0, ratio, view.x * ratio, view.y * ratio);
  pen.imageSmoothingEnabled = scale.x < 4;
  pen.drawImage(photo, 0, 0, picture.width * scale.x, picture.height * scale.y);
  for (const mark of drawing ? [...marks, drawing] : marks) drawMark(mark, scale);
  if (cursor) drawCursor(cursor[0] * scale.x, cursor[1] * scale.y);
}

// ---- the marks -----------------------------------------------------------------------------------

function begin([x, y], isPositive) {
  const base = { positive: isPositive };
  if (tool === 'point') drawing = { type: 'point', xy: insidePicture([x, y]), ...base };
  else if (tool === 'box') drawing = { type: 'box', xyxy: [x, y, x, y], corner: [x, y], ...base };
  else drawing = { type: 'scribble', xy: [insidePicture([x, y])], width: strokeWidth, ...base };
  draw();
}

function extend([x, y]) {
  if (drawing.type === 'point') drawing.xy = insidePicture([x, y]);
  else if (drawing.type === 'box') {
    const [fromX, fromY] = drawing.corner;
    drawing.xyxy = [Math.min(fromX, x), Math.min(fromY, y), Math.max(fromX, x), Math.max(fromY, y)];
  } else {
    const last = drawing.xy[drawing.xy.length - 1];
    const scale = cssScale();
    // Vertices closer than a screen pixel say nothing.
    if (Math.hypot((x - last[0]) * scale.x, (y - last[1]) * scale.y) >= 1) {
      drawing.xy.push(insidePicture([x, y]));
    }
  }
  draw();
}

function finish() {
  const done = drawing;
  drawing = null;
  if (done.type === 'box') {
    const [left, top, right, bottom] = done.xyxy;
    const scale = cssScale();
    delete done.corner;
    if ((right - left) * scale.x < SMALLEST_BOX || (bottom - top) * scale.y < SMALLEST_BOX) {
      hint.textContent = 'Hold the button and drag: a box needs two corners.';
      draw();
      return;
    }
  }
  keep([...marks, done]);
}

function cancel() {
  drawing = null;
  cursor = null;
  draw();
}

function keep(next) {
  past.push(marks);
  future = [];
  marks = next;
  publish();
}

function step(from, to) {
  if (!from.length) return;
  to.push(marks);
  marks = from.pop();
  publish();
}

function publish() {
  hint.textContent = HINTS[tool];
  show();
  props.value = { image: picture.id, marks };
  clearTimeout(rest);
  rest = setTimeout(() => trigger('stroke'), REST_MS);
}

function show() {
  list.replaceChildren(
    ...marks.map((mark, index) => {
      const item = document.createElement('li');
      item.className = mark.positive ? 'this' : 'not-this';
      const text = document.createElement('span');
      text.textContent = (mark.positive ? '' : 'Not this: ') + describe(mark);
      const remove = document.createElement('button');
      remove.type = 'button';
      remove.textContent = '×';
      remove.setAttribute('aria-label', 'Remove mark ' + (index + 1));
      remove.onclick = () => keep(marks.filter((_, other) => other !== index));
      item.append(text, remove);
      return item;
    }),
  );
  element.querySelector('[data-do=undo]').disabled = !past.length;
  element.querySelector('[data-do=redo]').disabled = !future.length;
  element.querySelector('[data-do=clear]').disabled = !marks.length;
  draw();
}

// ---- tools ---------------------------------------------------------------------------------------

function chooseTool(next) {
  drawing = null;
  tool = next;
  for (const button of element.querySelectorAll('[data-tool]')) {
    button.setAttribute('aria-checked', String(button.dataset.tool === next));
  }
  widthRow.hidden = next !== 'scribble';
  hint.textContent = HINTS[next];
  draw();
}

function choosePolarity(next) {
  positive = next;
  for (const button of element.querySelectorAll('[data-positive]')) {
    button.setAttribute('aria-checked', String(button.dataset.positive === String(next)));
  }
}

function chooseWidth(next) {
  strokeWidth = next;
  widthInput.value = String(next);
  widthRow.querySelector('output').textContent = next + ' px';
}

const actions = {
  undo: () => step(past, future),
  redo: () => step(future, past),
  clear: () => marks.length && keep([]),
  fit: () => setView({ zoom: 1, x: 0, y: 0 }),
};

element.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  if (button.dataset.tool) chooseTool(button.dataset.tool);
  else if (button.dataset.positive) choosePolarity(button.dataset.positive === 'true');
  else if (button.dataset.do && picture) actions[button.dataset.do]();
});

widthInput.addEventListener('input', () => chooseWidth(Number(widthInput.value)));

// ---- mouse, pen and fingers ----------------------------------------------------------------------

function fingerSpread() {
  const [a, b] = [...fingers.values()];
  return {
    distance: Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY),
    x: (a.clientX + b.clientX) / 2,
    y: (a.clientY + b.clientY) / 2,
  };
}

canvas.addEventListener('pointerdown', (event) => {
  if (!photo || event.button === 1) return;
  canvas.focus({ preventScroll: true });
  canvas.setPointerCapture(event.pointerId);
  fingers.set(event.pointerId, event);
  cursor = null;
  if (fingers.size === 2) {
    drawing = null; // the second finger says that this is a pinch
    pinch = fingerSpread();
    draw();
  } else if (fingers.size === 1) {
    begin(toPicture(event), positive && event.button !== 2);
  }
});

canvas.addEventListener('pointermove', (event) => {
  if (!fingers.has(event.pointerId)) return;
  fingers.set(event.pointerId, event);
  if (pinch && fingers.size === 2) {
    const now = fingerSpread();
    zoomAround(now.distance / Math.max(pinch.distance, 1), now.x, now.y);
    setView({ zoom: view.zoom, x: view.x + now.x - pinch.x, y: view.y + now.y - pinch.y });
    pinch = now;
  } else if (drawing) {
    const passed = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    for (const point of passed.length ? passed : [event]) extend(toPicture(point));
  }
});

canvas.addEventListener('pointerup', (event) => {
  fingers.delete(event.pointerId);
  if (pinch) pinch = fingers.size === 2 ? fingerSpread() : null;
  else if (drawing) {
    extend(toPicture(event));
    finish();
  }
});

canvas.addEventListener('pointercancel', (event) => {
  fingers.delete(event.pointerId);
  pinch = null;
  cancel();
});

canvas.addEventListener('contextmenu', (event) => event.preventDefault());

// A plain wheel scrolls the page; with Ctrl, as a pinch on a touchpad arrives too, it zooms.
canvas.addEventListener(
  'wheel',
  (event) => {
    if (!picture || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    zoomAround(Math.exp(-event.deltaY * 0.004), event.clientX, event.clientY);
  },
  { passive: false },
);

// ---- keyboard ------------------------------------------------------------------------------------

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

element.addEventListener('keydown', (event) => {
  if (!picture) return;
  const command = event.ctrlKey || event.metaKey;
  const key = event.key.toLowerCase();
  if (event.key === 'Escape') cancel();
  else if (command && key === 'z') actions[event.shiftKey ? 'redo' : 'undo']();
  else if (command && key === 'y') actions.redo();
  else if (command || event.target !== canvas) return;
  else if (ARROWS[event.key]) moveCursor(ARROWS[event.key], event.shiftKey);
  else if (event.key === 'Enter') pressCursor();
  else if (key === 'p' || key === 'b' || key === 's') {
    chooseTool({ p: 'point', b: 'box', s: 'scribble' }[key]);
  } else if (key === 'n') choosePolarity(!positive);
  else return;
  event.preventDefault();
});

function moveCursor([right, down], finely) {
  const stride = finely ? 1 : Math.max(1, Math.round(Math.max(picture.width, picture.height) / 64));
  const [x, y] = cursor || [picture.width / 2, picture.height / 2];
  cursor = [clamp(x + right * stride, 0, picture.width), clamp(y + down * stride, 0, picture.height)];
  if (drawing) extend(cursor);
  draw();
}

function pressCursor() {
  cursor = cursor || [picture.width / 2, picture.height / 2];
  if (drawing) finish();
  else {
    begin(cursor, positive);
    if (tool === 'point') finish();
  }
}

// ---- a new picture -------------------------------------------------------------------------------

function load() {
  const next = props.picture;
  if (!next || (picture && picture.id === next.id)) return;
  clearTimeout(rest);
  picture = next;
  photo = null;
  [marks, past, future, drawing, cursor] = [next.marks || [], [], [], null, null];
  view = { zoom: 1, x: 0, y: 0 };
  fitButton.hidden = true;
  stage.style.setProperty('--ratio', String(next.width / next.height));
  const longest = Math.max(next.width, next.height);
  widthInput.max = String(Math.max(4, Math.round(longest / 8)));
  chooseWidth(Math.max(1, Math.round(longest / 48)));
  props.value = { image: next.id, marks };
  show();
  const image = new Image();
  image.onload = () => {
    if (picture !== next) return;
    photo = image;
    fitCanvas();
    draw();
  };
  image.src = next.src;
}

new ResizeObserver(fitCanvas).observe(canvas);
// Colours follow the theme, which Gradio switches by a class on the body.
new MutationObserver(draw).observe(document.body, { attributes: true, attributeFilter: ['class'] });
watch('picture', load);
acceptPictures(stage, 1);
chooseTool(tool);
load();
