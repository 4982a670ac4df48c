// The tools: what a hand on the picture makes. Joined to canvas.js, in the same function.

const SMALLEST_BOX = 4; // on the screen; anything smaller is a click that slipped
const BY_FINGER = window.matchMedia('(pointer: coarse)').matches;
const HINTS = {
  point: BY_FINGER
    ? 'Tap the object. “Not this” is for what it is not.'
    : 'Click the object. Right-click what it is not.',
  box: 'Drag a box around one object. It may be loose.',
  scribble: 'Draw along the object, one quick stroke.',
  brush: 'Paint the object.',
  eraser: 'Rub out paint. A mark that you touch goes.',
};
const WIDE_TOOLS = ['scribble', 'brush', 'eraser'];

let tool = 'box';
let positive = true;
let strokeWidth = 8; // pixels of the original picture
let drawing = null; // what is under the hand, not yet kept

// A point on the far edge belongs to the last pixel, not to one beyond it.
function insidePicture([x, y]) {
  const { width, height } = pictureOf(shown);
  return [Math.min(x, width - 0.01), Math.min(y, height - 0.01)];
}

function begin([x, y], isPositive) {
  const at = insidePicture([x, y]);
  const base = { positive: isPositive, image: shown, label: currentLabel };
  if (tool === 'point') drawing = { type: 'point', xy: at, ...base };
  else if (tool === 'box') drawing = { type: 'box', xyxy: [x, y, x, y], corner: [x, y], ...base };
  else drawing = { type: 'scribble', xy: [at], width: strokeWidth, ...base };
  stage.draw();
}

function extend([x, y]) {
  if (drawing.type === 'point') drawing.xy = insidePicture([x, y]);
  else if (drawing.type === 'box') {
    const [fromX, fromY] = drawing.corner;
    drawing.xyxy = [Math.min(fromX, x), Math.min(fromY, y), Math.max(fromX, x), Math.max(fromY, y)];
  } else {
    const last = drawing.xy[drawing.xy.length - 1];
    // Vertices closer than a screen pixel say nothing.
    if (Math.hypot(x - last[0], y - last[1]) * stage.scale() >= 1) drawing.xy.push(insidePicture([x, y]));
  }
  stage.draw();
}

function finish() {
  const { corner, image, label, ...done } = drawing;
  drawing = null;
  if (tool === 'eraser') rubOut(done);
  else if (tool === 'brush') paint(done);
  else if (done.type === 'box' && tooSmall(done)) {
    say((BY_FINGER ? 'Drag across it' : 'Hold the button and drag') + ': a box needs two corners.');
    stage.draw();
  } else addMark(done);
}

function tooSmall({ xyxy: [left, top, right, bottom] }) {
  return Math.min(right - left, bottom - top) * stage.scale() < SMALLEST_BOX;
}

function cancelDrawing() {
  drawing = null;
  stage.draw();
}

function paint({ xy, width, positive: isPositive }) {
  const stroke = { xy, width, erase: false };
  const old = marksOn(shown, currentLabel).find(
    (mark) => mark.type === 'mask' && mark.positive === isPositive,
  );
  if (old) replaceMark(old, { ...old, strokes: [...old.strokes, stroke] });
  else addMark({ type: 'mask', positive: isPositive, base: null, strokes: [stroke] });
}

// Rubs paint of the current class out, and takes away the other marks that the eraser touched.
function rubOut({ xy, width }) {
  const stroke = { xy, width, erase: true };
  const mine = marksOn(shown, currentLabel);
  const next = [];
  let hit = false;
  for (const mark of now.marks) {
    if (!mine.includes(mark)) next.push(mark);
    else if (mark.type === 'mask' || (mark.type === 'kept' && mark.base)) {
      // The server keeps whole areas only: what is left of one is sent as it is drawn.
      const rubbed = { ...mark, type: 'mask', png: null, strokes: [...mark.strokes, stroke] };
      const [before, left] = [mark, rubbed].map((each) => paintedArea(each, pictureOf(shown)));
      hit = hit || left < before;
      if (left) next.push(left < before ? rubbed : mark);
    } else if (touches(mark, stroke)) hit = true;
    else next.push(mark);
  }
  if (hit) step({ marks: next });
  else stage.draw();
}

function touches(mark, stroke) {
  const near = (path, reach) =>
    stroke.xy.some(([x, y]) => path.some(([u, v]) => Math.hypot(x - u, y - v) <= reach + stroke.width / 2));
  if (mark.type === 'point') return near([mark.xy], pointRadius(pictureOf(shown)));
  if (mark.type === 'scribble') return near(dense(mark.xy), mark.width / 2);
  if (mark.type !== 'box') return false;
  const [left, top, right, bottom] = mark.xyxy;
  const corners = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]];
  return near(dense(corners), 0);
}

// Adds vertices until no two are farther apart than two pixels.
function dense(path) {
  return path.flatMap(([x, y], index) => {
    if (!index) return [[x, y]];
    const [u, v] = path[index - 1];
    const parts = Math.max(1, Math.ceil(Math.hypot(x - u, y - v) / 2));
    return Array.from({ length: parts }, (_, i) => {
      const share = (i + 1) / parts;
      return [u + (x - u) * share, v + (y - v) * share];
    });
  });
}

// ---- choosing ------------------------------------------------------------------------------------

function chooseTool(next) {
  drawing = null;
  tool = next;
  for (const button of element.querySelectorAll('[data-tool]')) {
    button.setAttribute('aria-checked', String(button.dataset.tool === next));
  }
  element.querySelector('.marker-width').classList.toggle('idle', !WIDE_TOOLS.includes(next));
  element.querySelector('.polarity').classList.toggle('idle', next === 'eraser');
  say(HINTS[next]);
  stage.draw();
}

function choosePolarity(next) {
  positive = next;
  for (const button of element.querySelectorAll('[data-positive]')) {
    button.setAttribute('aria-checked', String(button.dataset.positive === String(next)));
  }
}

function chooseWidth(next) {
  const { width, height } = pictureOf(shown) || { width: 512, height: 512 };
  strokeWidth = clamp(Math.round(next), 1, Math.max(4, Math.round(Math.max(width, height) / 6)));
  const input = element.querySelector('.marker-width input');
  input.max = String(Math.max(4, Math.round(Math.max(width, height) / 6)));
  input.value = String(strokeWidth);
  element.querySelector('.marker-width output').textContent = strokeWidth + ' px';
  stage.draw();
}

function say(words) {
  element.querySelector('.marker-hint').textContent = words;
}
