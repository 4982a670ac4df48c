// How a mark looks and what it is called. Joined to canvas.js and board.js, in the same function.

// What vrpsam_app/annotation_types.py takes for a point without a radius.
const pointRadius = ({ width, height }) => Math.max(2, Math.max(width, height) / 128);

// It follows the theme.
const notThisColour = () => getComputedStyle(element).getPropertyValue('--mark-not').trim();

function tintOf(mark) {
  return mark.positive ? classColour(mark.label) : notThisColour();
}

// Each line is drawn over a wider white one, to show on any picture.
function outlined(pen, path, tint, width, dash = []) {
  pen.lineCap = 'round';
  pen.lineJoin = 'round';
  pen.setLineDash([]);
  pen.strokeStyle = 'rgba(255, 255, 255, 0.9)';
  pen.lineWidth = width + 2;
  pen.stroke(path);
  pen.setLineDash(dash);
  pen.strokeStyle = tint;
  pen.lineWidth = width;
  pen.stroke(path);
  pen.setLineDash([]);
}

// `faint`: a mark of another class than the one that is being marked.
function drawMark(pen, mark, picture, scale, faint = false) {
  const draw = { point: drawPoint, box: drawBox, scribble: drawStroke, mask: drawPainted, kept: drawPainted };
  pen.globalAlpha = faint ? 0.55 : 1;
  draw[mark.type](pen, mark, picture, scale, tintOf(mark));
  pen.globalAlpha = 1;
}

function drawPoint(pen, mark, picture, scale, tint) {
  const [x, y] = mark.xy.map((value) => value * scale);
  const disc = new Path2D();
  disc.arc(x, y, Math.max(8, pointRadius(picture) * scale), 0, 2 * Math.PI);
  pen.fillStyle = tint;
  pen.fill(disc);
  pen.lineWidth = 2;
  pen.strokeStyle = 'white';
  pen.stroke(disc);
  const sign = new Path2D();
  sign.moveTo(x - 3.6, y);
  sign.lineTo(x + 3.6, y);
  if (mark.positive) {
    sign.moveTo(x, y - 3.6);
    sign.lineTo(x, y + 3.6);
  }
  pen.stroke(sign);
}

function drawBox(pen, mark, picture, scale, tint) {
  const [left, top, right, bottom] = mark.xyxy.map((value) => value * scale);
  const frame = new Path2D();
  frame.rect(left, top, right - left, bottom - top);
  outlined(pen, frame, tint, 2, mark.positive ? [] : [7, 6]);
}

function drawStroke(pen, mark, picture, scale, tint) {
  const path = new Path2D();
  const [first, ...others] = mark.xy;
  path.moveTo(first[0] * scale, first[1] * scale);
  if (!others.length) path.lineTo(first[0] * scale + 0.01, first[1] * scale);
  for (const [x, y] of others) path.lineTo(x * scale, y * scale);
  const alpha = pen.globalAlpha;
  const band = Math.max(2, mark.width * scale);
  pen.globalAlpha = 0.55 * alpha;
  pen.lineCap = 'round';
  pen.lineJoin = 'round';
  pen.strokeStyle = tint;
  pen.lineWidth = band;
  pen.stroke(path);
  pen.globalAlpha = alpha;
  outlined(pen, path, tint, Math.min(2, band), mark.positive ? [] : [7, 6]);
}

function drawPainted(pen, mark, picture, scale) {
  if (mark.type === 'kept' && !mark.base) return;
  const { step } = paintGrid(picture);
  const canvas = paintedCanvas(mark, picture);
  pen.globalAlpha *= 0.6;
  pen.drawImage(canvas, 0, 0, canvas.width * step * scale, canvas.height * step * scale);
}

function drawCursor(pen, x, y) {
  const cross = new Path2D();
  cross.moveTo(x - 10, y);
  cross.lineTo(x + 10, y);
  cross.moveTo(x, y - 10);
  cross.lineTo(x, y + 10);
  outlined(pen, cross, '#1f1c19', 1.5);
}

function describe(mark) {
  const round = (values) => values.map((value) => Math.round(value));
  if (mark.type === 'kept') return mark.name || 'Area from a file';
  if (mark.type === 'point') return 'Point at ' + round(mark.xy).join(', ');
  if (mark.type === 'scribble') {
    const [[x, y]] = mark.xy;
    return 'Stroke from ' + round([x, y]).join(', ') + ', ' + mark.width + ' px wide';
  }
  if (mark.type === 'mask') {
    const count = mark.strokes.filter((stroke) => !stroke.erase).length;
    if (mark.base) return mark.name || 'Area from a mask';
    return 'Painted area, ' + count + (count === 1 ? ' stroke' : ' strokes');
  }
  const [left, top, right, bottom] = mark.xyxy;
  const [width, height] = round([right - left, bottom - top]);
  return 'Box ' + width + ' × ' + height + ' px at ' + round([left, top]).join(', ');
}
