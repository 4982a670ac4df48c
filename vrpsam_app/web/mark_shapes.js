// How a mark looks and what it is called. Joined to canvas.js, in the same function: `pen`, `picture` and
// `element` are its.

// What vrpsam_app/annotations.py takes for a point without a radius.
const pointRadius = () => Math.max(2, Math.max(picture.width, picture.height) / 128);

function color(name) {
  return getComputedStyle(element).getPropertyValue(name).trim();
}

// Each line is drawn over a wider one of the opposite lightness, to show on any picture.
function line(path, tint, width, dash = []) {
  pen.lineCap = 'round';
  pen.lineJoin = 'round';
  pen.setLineDash([]);
  pen.strokeStyle = 'rgba(255, 255, 255, 0.85)';
  pen.lineWidth = width + 2.5;
  pen.stroke(path);
  pen.setLineDash(dash);
  pen.strokeStyle = tint;
  pen.lineWidth = width;
  pen.stroke(path);
  pen.setLineDash([]);
}

function drawMark(mark, scale) {
  const tint = color(mark.positive ? '--mark-this' : '--mark-not');
  if (mark.type === 'point') drawPoint(mark, tint, scale);
  else if (mark.type === 'box') drawBox(mark, tint, scale);
  else if (mark.type === 'scribble') drawStroke(mark, tint, scale);
}

function drawPoint(mark, tint, scale) {
  const [x, y] = [mark.xy[0] * scale.x, mark.xy[1] * scale.y];
  const radius = Math.max(7, pointRadius() * scale.x);
  const disc = new Path2D();
  disc.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fillStyle = tint;
  pen.fill(disc);
  pen.lineWidth = 2;
  pen.strokeStyle = 'white';
  pen.stroke(disc);
  const sign = new Path2D();
  sign.moveTo(x - 3.2, y);
  sign.lineTo(x + 3.2, y);
  if (mark.positive) {
    sign.moveTo(x, y - 3.2);
    sign.lineTo(x, y + 3.2);
  }
  pen.stroke(sign);
}

function drawBox(mark, tint, scale) {
  const [left, top, right, bottom] = mark.xyxy;
  const frame = new Path2D();
  frame.rect(left * scale.x, top * scale.y, (right - left) * scale.x, (bottom - top) * scale.y);
  line(frame, tint, 2.5, mark.positive ? [] : [7, 6]);
}

function drawStroke(mark, tint, scale) {
  const path = new Path2D();
  const [first, ...others] = mark.xy;
  path.moveTo(first[0] * scale.x, first[1] * scale.y);
  if (!others.length) path.lineTo(first[0] * scale.x + 0.01, first[1] * scale.y);
  for (const [x, y] of others) path.lineTo(x * scale.x, y * scale.y);
  const band = Math.max(2, mark.width * scale.x);
  pen.globalAlpha = 0.55;
  pen.lineCap = 'round';
  pen.lineJoin = 'round';
  pen.strokeStyle = tint;
  pen.lineWidth = band;
  pen.stroke(path);
  pen.globalAlpha = 1;
  line(path, tint, Math.min(2.5, band), mark.positive ? [] : [7, 6]);
}

function drawCursor(x, y) {
  const cross = new Path2D();
  cross.moveTo(x - 10, y);
  cross.lineTo(x + 10, y);
  cross.moveTo(x, y - 10);
  cross.lineTo(x, y + 10);
  line(cross, color('--ink'), 1.5);
}

function describe(mark) {
  const round = (values) => values.map((value) => Math.round(value));
  if (mark.type === 'point') return 'Point at ' + round(mark.xy).join(', ');
  if (mark.type === 'scribble') {
    return 'Stroke of ' + mark.xy.length + ' points, ' + mark.width + ' px wide';
  }
  if (mark.type === 'mask') return 'Painted area';
  const [left, top, right, bottom] = round(mark.xyxy);
  return 'Box ' + (right - left) + ' x ' + (bottom - top) + ' px at ' + left + ', ' + top;
}
