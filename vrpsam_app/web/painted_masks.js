// Painted areas: kept as the strokes of brush and eraser, so that every step can be taken back, and turned
// into pixels when they are drawn or sent. Joined to canvas.js, in the same function.

const MOST_PAINTED = 2 ** 22; // pixels; on larger pictures the brush paints squares of several

const painted = new Map(); // what -> {mark, canvas}: one canvas for each area, brought up to date
const sentPngs = new WeakMap(); // mark -> promise of its PNG

function paintGrid({ width, height }) {
  const step = Math.max(1, Math.ceil(Math.sqrt((width * height) / MOST_PAINTED)));
  return { step, width: Math.ceil(width / step), height: Math.ceil(height / step) };
}

// Decodes a mask that came from Python, at the size of the grid; anything not black is painted.
async function paintedBase(png, grid) {
  const image = new Image();
  image.src = png.startsWith('data:') ? png : 'data:image/png;base64,' + png;
  await image.decode();
  const canvas = new OffscreenCanvas(grid.width, grid.height);
  const pen = canvas.getContext('2d', { willReadFrequently: true });
  pen.imageSmoothingEnabled = false;
  pen.drawImage(image, 0, 0, grid.width, grid.height);
  const { data } = pen.getImageData(0, 0, grid.width, grid.height);
  return Uint8Array.from({ length: data.length / 4 }, (_, i) =>
    Number((data[4 * i] || data[4 * i + 1] || data[4 * i + 2]) && data[4 * i + 3]),
  );
}

function applyStroke(pen, stroke, step) {
  pen.globalCompositeOperation = stroke.erase ? 'destination-out' : 'source-over';
  pen.lineCap = 'round';
  pen.lineJoin = 'round';
  pen.lineWidth = Math.max(1, stroke.width / step);
  pen.beginPath();
  const [[x, y]] = stroke.xy;
  pen.moveTo(x / step, y / step);
  if (stroke.xy.length === 1) pen.lineTo(x / step + 1e-3, y / step);
  for (const [u, v] of stroke.xy.slice(1)) pen.lineTo(u / step, v / step);
  pen.stroke();
}

// Returns the canvas of a painted area, in its colour, on the grid.
function paintedCanvas(mark, picture) {
  const tint = tintOf(mark);
  const grid = paintGrid(picture);
  const what = [mark.type, mark.key, mark.image, mark.label, mark.positive].join('\n');
  let known = painted.get(what);
  if (known && known.mark === mark) return known.canvas;
  const follows =
    known &&
    known.tint === tint &&
    known.mark.base === mark.base &&
    known.mark.strokes.every((stroke, index) => stroke === mark.strokes[index]);
  if (!follows) {
    const canvas = new OffscreenCanvas(grid.width, grid.height);
    const pen = canvas.getContext('2d', { willReadFrequently: true });
    pen.fillStyle = pen.strokeStyle = tint;
    if (mark.base) fillBase(pen, mark.base, grid);
    known = { mark: { base: mark.base, strokes: [] }, canvas, tint };
    painted.set(what, known);
  }
  const pen = known.canvas.getContext('2d');
  pen.strokeStyle = tint;
  for (const stroke of mark.strokes.slice(known.mark.strokes.length)) applyStroke(pen, stroke, grid.step);
  known.mark = mark;
  return known.canvas;
}

function fillBase(pen, base, grid) {
  for (let y = 0, i = 0; y < grid.height; y++) {
    for (let x = 0; x < grid.width; x++, i++) {
      if (!base[i]) continue;
      let run = 1;
      while (x + run < grid.width && base[i + run]) run++;
      pen.fillRect(x, y, run, 1);
      x += run - 1;
      i += run - 1;
    }
  }
}

// Returns which cells of the grid are painted: those that are covered by half or more.
function paintedCells(mark, picture) {
  const canvas = paintedCanvas(mark, picture);
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const cells = new Uint8Array(data.length / 4);
  for (let i = 0; i < cells.length; i++) cells[i] = data[4 * i + 3] >> 7;
  return cells;
}

function paintedArea(mark, picture) {
  let area = 0;
  for (const cell of paintedCells(mark, picture)) area += cell;
  return area;
}

// Returns a promise of base64 of the area as a PNG in the size of the original.
function paintedPng(mark, picture) {
  if (mark.png && !mark.strokes.length) return Promise.resolve(mark.png);
  if (!sentPngs.has(mark)) {
    const { step } = paintGrid(picture);
    sentPngs.set(mark, writeBitPng(picture.width, picture.height, paintedCells(mark, picture), step));
  }
  return sentPngs.get(mark);
}
