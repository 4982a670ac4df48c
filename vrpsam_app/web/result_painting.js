// From the levels that came with an answer to what is drawn: cut, filtered, counted, traced. Joined to
// board.js, in the same function. Nothing here asks the server.

// Says which class has each pixel: the most probable of those that reach the step, the first of equals.
function cutLevels(layers, stepNumber) {
  const [{ pixels: first }] = layers;
  const owner = new Uint8Array(first.length); // 0 for nobody, else 1 + the index of a layer
  const best = new Uint8Array(first.length);
  layers.forEach(({ pixels }, index) => {
    for (let i = 0; i < pixels.length; i++) {
      if (pixels[i] >= stepNumber && pixels[i] > best[i]) {
        best[i] = pixels[i];
        owner[i] = index + 1;
      }
    }
  });
  return owner;
}

// Takes away connected pieces of fewer than `smallest` pixels; returns how many of each class are left and as
// large as its `specks`.
function countPieces(owner, width, smallest, specks) {
  const counts = specks.map(() => 0);
  const seen = new Uint8Array(owner.length);
  const queue = new Int32Array(owner.length);
  for (let start = 0; start < owner.length; start++) {
    if (seen[start] || !owner[start]) continue;
    const label = owner[start];
    let size = 1;
    queue[0] = start;
    seen[start] = 1;
    const visit = (i) => {
      if (!seen[i] && owner[i] === label) {
        seen[i] = 1;
        queue[size++] = i;
      }
    };
    for (let at = 0; at < size; at++) {
      const i = queue[at];
      const x = i % width;
      if (x > 0) visit(i - 1);
      if (x < width - 1) visit(i + 1);
      if (i >= width) visit(i - width);
      if (i + width < owner.length) visit(i + width);
    }
    if (size < smallest) for (let at = 0; at < size; at++) owner[queue[at]] = 0;
    else if (size >= specks[label - 1]) counts[label - 1] += 1;
  }
  return counts;
}

// Returns the border of one class as a path in pixels of the levels, each pixel i covering [i, i + 1).
// Marching squares: the line runs between pixels where the probability crosses the threshold, pieces that
// touch at a corner only stay apart.
function traceClass(owner, pixels, width, height, label, stepNumber) {
  const across = width + 2; // a margin of nothing, so that every line closes
  const inside = (x, y) =>
    x > 0 && y > 0 && x <= width && y <= height && owner[(y - 1) * width + x - 1] === label;
  // An edge joins two neighbouring pixels: 2 * place to the right of it, 2 * place + 1 below it.
  const next = new Map();
  for (let y = 0; y <= height; y++) {
    let corners = (inside(0, y) ? 8 : 0) | (inside(0, y + 1) ? 1 : 0);
    for (let x = 0; x <= width; x++) {
      if (x) corners = (corners & 4 ? 8 : 0) | (corners & 2 ? 1 : 0);
      corners |= (inside(x + 1, y) ? 4 : 0) | (inside(x + 1, y + 1) ? 2 : 0);
      if (corners === 0 || corners === 15) continue;
      const place = y * across + x;
      const edges = { top: 2 * place, left: 2 * place + 1, bottom: 2 * (place + across), right: 2 * place + 3 };
      for (const [from, to] of TURNS[corners]) next.set(edges[from], edges[to]);
    }
  }
  return followEdges(next, across, (x, y, u, v) => crossing(owner, pixels, width, height, label, stepNumber, x, y, u, v));
}

// Which way the line runs through four pixels (8 upper left, 4 upper right, 2 lower right, 1 lower left), the
// object on its right.
const TURNS = {
  1: [['bottom', 'left']],
  2: [['right', 'bottom']],
  3: [['right', 'left']],
  4: [['top', 'right']],
  5: [['bottom', 'left'], ['top', 'right']],
  6: [['top', 'bottom']],
  7: [['top', 'left']],
  8: [['left', 'top']],
  9: [['bottom', 'top']],
  10: [['left', 'top'], ['right', 'bottom']],
  11: [['right', 'top']],
  12: [['left', 'right']],
  13: [['bottom', 'right']],
  14: [['left', 'bottom']],
};

// How far from pixel (x, y) to its neighbour (u, v) the line crosses, 0 to 1; with the margin of one.
function crossing(owner, pixels, width, height, label, stepNumber, x, y, u, v) {
  if (!x || !y || x > width || y > height || !u || !v || u > width || v > height) return 0.5;
  const level = (column, row) => {
    const i = (row - 1) * width + column - 1;
    return owner[i] === label ? Math.max(pixels[i], stepNumber) : Math.min(pixels[i], stepNumber - 1);
  };
  const [here, there] = [level(x, y), level(u, v)];
  return clamp((here - (stepNumber - 0.5)) / (here - there), 0.05, 0.95);
}

function followEdges(next, across, share) {
  const path = new Path2D();
  const point = (edge) => {
    const place = edge >> 1;
    const [x, y] = [place % across, Math.floor(place / across)];
    return edge & 1 ? [x - 0.5, y - 0.5 + share(x, y, x, y + 1)] : [x - 0.5 + share(x, y, x + 1, y), y - 0.5];
  };
  for (const start of next.keys()) {
    if (!next.has(start)) continue;
    path.moveTo(...point(start));
    for (let edge = start; next.has(edge); ) {
      const following = next.get(edge);
      next.delete(edge);
      edge = following;
      if (edge !== start) path.lineTo(...point(edge));
    }
    path.closePath();
  }
  return path;
}

// ---- answers -------------------------------------------------------------------------------------

// Returns {width, height, owner, labels, classes: [{label, path, count, share}]}.
function cutAnswer(asked, picture, threshold, minArea) {
  const found = asked.filter((each) => each.present && each.layer);
  if (!found.length) return null;
  const layers = found.map((each) => each.layer);
  const [{ width, height }] = layers;
  const stepNumber = Math.round(threshold * 100);
  const owner = cutLevels(layers, stepNumber);
  const shrunk = (width * height) / (picture.width * picture.height);
  const specks = found.map((each) => (each.speck || 0) * shrunk);
  const counts = countPieces(owner, width, minArea * shrunk, specks);
  const classes = found.map(({ label, layer }, index) => ({
    label,
    count: counts[index],
    share: owner.reduce((sum, each) => sum + (each === index + 1), 0) / owner.length,
    path: traceClass(owner, layer.pixels, width, height, index + 1, stepNumber),
  }));
  return { width, height, owner, labels: found.map((each) => each.label), classes };
}

// Whether both draw the same of the same classes.
function sameCut(some, other) {
  if (!some || !other) return some === other;
  const same = (a, b) => a.length === b.length && a.every((each, at) => each === b[at]);
  return same(some.labels, other.labels) && same(some.owner, other.owner);
}

// Draws what was cut, as vrpsam_app/overlays.py does; `scale` is that of the original picture.
function drawCut(pen, cut, picture, scale, opacity, alpha = 1) {
  const zoom = (scale * picture.width) / cut.width;
  pen.save();
  pen.scale(zoom, (scale * picture.height) / cut.height);
  pen.lineJoin = 'round';
  for (const { label, path } of cut.classes) {
    pen.globalAlpha = opacity * alpha;
    pen.fillStyle = colourOf(label);
    pen.fill(path, 'evenodd');
    pen.globalAlpha = 0.35 * alpha;
    pen.strokeStyle = 'black';
    pen.lineWidth = 4 / zoom;
    pen.stroke(path);
    pen.globalAlpha = alpha;
    pen.strokeStyle = colourOf(label);
    pen.lineWidth = 2 / zoom;
    pen.stroke(path);
  }
  pen.restore();
}

// The class that has a place of the picture, or null.
function classAt(cut, picture, [x, y]) {
  if (!cut) return null;
  const column = Math.min(cut.width - 1, Math.floor((x * cut.width) / picture.width));
  const row = Math.min(cut.height - 1, Math.floor((y * cut.height) / picture.height));
  return cut.labels[cut.owner[row * cut.width + column] - 1] || null;
}
