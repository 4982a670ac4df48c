// A picture in a canvas that can be zoomed and moved, and the hands that do it. Joined to canvas.js and
// board.js, in the same function. Positions are in pixels of the original picture; one scale holds for both
// axes, so they are exact at every zoom and on every screen.

const MAX_ZOOM = 32;
const ZOOM_STEP = 1.5;

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const hundredths = (value) => Math.round(value * 100) / 100;

// `size` gives {width, height} of the picture or null, `paint(pen, scale)` draws it with its corner at the
// origin of `pen`, in CSS pixels.
function zoomStage(canvas, size, paint) {
  const pen = canvas.getContext('2d');
  let zoom = 1;
  let corner = { x: 0, y: 0 }; // of the picture, in CSS pixels from the canvas' corner
  let frame = 0;
  const box = () => ({ width: canvas.clientWidth, height: canvas.clientHeight });
  const scale = () => {
    const { width, height } = size();
    return Math.min(box().width / width, box().height / height) * zoom;
  };

  // Centred where there is room, else covering the canvas.
  function settle(at, room, extent) {
    return extent <= room ? (room - extent) / 2 : clamp(at, room - extent, 0);
  }

  function place(next) {
    const { width, height } = size();
    corner = {
      x: settle(next.x, box().width, width * scale()),
      y: settle(next.y, box().height, height * scale()),
    };
    draw();
  }

  function draw() {
    if (!frame) frame = requestAnimationFrame(drawNow);
  }

  function drawNow() {
    frame = 0;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [box().width, box().height].map((side) => Math.round(side * ratio));
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    if (!size() || !width) return;
    pen.setTransform(ratio, 0, 0, ratio, corner.x * ratio, corner.y * ratio);
    pen.imageSmoothingEnabled = scale() < 4;
    paint(pen, scale());
  }

  const stage = {
    canvas,
    scale,
    draw,
    get zoom() {
      return zoom;
    },
    toPicture(event) {
      const rect = canvas.getBoundingClientRect();
      const { width, height } = size();
      return [
        clamp(hundredths((event.clientX - rect.left - corner.x) / scale()), 0, width),
        clamp(hundredths((event.clientY - rect.top - corner.y) / scale()), 0, height),
      ];
    },
    // Whether a hand is on the picture, or just missed it.
    touches(event, slack = 8) {
      const rect = canvas.getBoundingClientRect();
      const { width, height } = size();
      const [u, v] = [event.clientX - rect.left - corner.x, event.clientY - rect.top - corner.y];
      return u > -slack && v > -slack && u < width * scale() + slack && v < height * scale() + slack;
    },
    zoomBy(factor, event) {
      if (!size()) return;
      const rect = canvas.getBoundingClientRect();
      const u = event ? event.clientX - rect.left : rect.width / 2;
      const v = event ? event.clientY - rect.top : rect.height / 2;
      const next = clamp(zoom * factor, 1, MAX_ZOOM);
      const grown = next / zoom;
      zoom = next;
      place({ x: u - (u - corner.x) * grown, y: v - (v - corner.y) * grown });
    },
    moveBy(x, y) {
      if (size()) place({ x: corner.x + x, y: corner.y + y });
    },
    // Moves until a place of the picture is in sight, for those who walk it by keyboard.
    reveal([x, y], margin = 24) {
      const [u, v] = [x * scale() + corner.x, y * scale() + corner.y];
      const { width, height } = box();
      const nudge = (at, room) => clamp(at, Math.min(margin, room / 2), Math.max(room - margin, room / 2)) - at;
      if (nudge(u, width) || nudge(v, height)) this.moveBy(nudge(u, width), nudge(v, height));
    },
    fit() {
      zoom = 1;
      if (size()) place(corner);
      else draw();
    },
  };
  new ResizeObserver(() => (size() ? place(corner) : draw())).observe(canvas);
  return stage;
}

// One hand marks, two fingers zoom and move, and so do the wheel, the middle button, and Space held.
// `hand` is {start(event), move(events), end(event), abort()}; start returns whether it begins something.
function handsOn(stage, hand) {
  const { canvas } = stage;
  const fingers = new Map();
  let marking = false;
  let pan = null;
  let pinch = null;
  let space = false;

  function spread() {
    const [a, b] = [...fingers.values()];
    return {
      distance: Math.max(1, Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY)),
      clientX: (a.clientX + b.clientX) / 2,
      clientY: (a.clientY + b.clientY) / 2,
    };
  }

  function stop() {
    if (marking) hand.abort();
    marking = false;
  }

  canvas.addEventListener('pointerdown', (event) => {
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, event);
    if (fingers.size === 2) {
      stop(); // the second finger says that this is a pinch
      pinch = spread();
    } else if (fingers.size === 1 && (event.button === 1 || space)) {
      event.preventDefault();
      pan = event;
      canvas.classList.add('moving');
    } else if (fingers.size === 1) {
      marking = hand.start(event);
    }
  });

  canvas.addEventListener('pointermove', (event) => {
    if (!fingers.has(event.pointerId)) return;
    fingers.set(event.pointerId, event);
    if (pinch && fingers.size === 2) {
      const next = spread();
      stage.moveBy(next.clientX - pinch.clientX, next.clientY - pinch.clientY);
      stage.zoomBy(next.distance / pinch.distance, next);
      pinch = next;
    } else if (pan) {
      stage.moveBy(event.clientX - pan.clientX, event.clientY - pan.clientY);
      pan = event;
    } else if (marking) {
      const passed = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
      hand.move(passed.length ? passed : [event]);
    }
  });

  function lift(event, done) {
    if (!fingers.delete(event.pointerId)) return;
    if (pinch) pinch = fingers.size === 2 ? spread() : null;
    else if (pan) pan = null;
    else if (marking && done) {
      marking = false;
      hand.end(event);
    }
    if (!done) stop();
    canvas.classList.remove('moving');
  }
  canvas.addEventListener('pointerup', (event) => lift(event, true));
  canvas.addEventListener('pointercancel', (event) => lift(event, false));
  canvas.addEventListener('contextmenu', (event) => event.preventDefault());

  // The wheel zooms, unless it is needed to scroll a page that is longer than the window.
  canvas.addEventListener(
    'wheel',
    (event) => {
      const page = document.documentElement;
      const pinched = event.ctrlKey || event.metaKey;
      const needed = page.scrollHeight > page.clientHeight + 8 && document.activeElement !== canvas;
      if (!pinched && (needed || (stage.zoom === 1 && event.deltaY > 0))) return;
      event.preventDefault();
      const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
      stage.zoomBy(Math.exp(-event.deltaY * lines * (pinched ? 0.008 : 0.002)), event);
    },
    { passive: false },
  );

  canvas.addEventListener('keydown', (event) => {
    if (event.key !== ' ') return;
    event.preventDefault();
    space = true;
    canvas.classList.add('movable');
  });
  const release = () => {
    space = false;
    canvas.classList.remove('movable');
  };
  canvas.addEventListener('keyup', (event) => event.key === ' ' && release());
  canvas.addEventListener('blur', release);

  return { stop };
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const middleOf = ({ width, height }) => [width / 2, height / 2];

// Where an arrow key takes who walks the picture: with Shift, to the next pixel.
function walk([x, y], { key, shiftKey }, { width, height }) {
  const [right, down] = ARROWS[key];
  const stride = shiftKey ? 1 : Math.max(1, Math.round(Math.max(width, height) / 64));
  return [clamp(x + right * stride, 0, width), clamp(y + down * stride, 0, height)];
}

// Style sheets cannot ask how wide a card is: Gradio drops rules for containers.
function narrowBelow(box, width) {
  new ResizeObserver(() => box.classList.toggle('narrow', box.clientWidth < width)).observe(box);
}

// The buttons beside a picture, and the keys that do the same.
function zoomActions(stage) {
  return {
    closer: () => stage.zoomBy(ZOOM_STEP),
    farther: () => stage.zoomBy(1 / ZOOM_STEP),
    fit: () => stage.fit(),
  };
}
const ZOOM_KEYS = { '+': 'closer', '=': 'closer', '-': 'farther', 0: 'fit' };
