// The pictures that are marked. Gradio runs this, after the files it is joined to, as the body of a function
// of (element, trigger, props, server, upload, watch). What goes over the border is written in canvas.py.
// Nothing is sent while drawing: `props.value` is set when a mark is finished, and the event 'stroke' follows
// when the hand rests.

const photos = new Map(); // id of a picture -> its image, possibly smaller than the original
let shown = null;
let currentLabel = 'object';
let taken = null; // serial of the marks that Python gave last
let sending = 0;
let strokeDue = false;

const tellStroke = pauseBefore(() => trigger('stroke'));

const pictureOf = (id) => (props.pictures || []).find((picture) => picture.id === id);

// ---- drawing on the screen -----------------------------------------------------------------------

const stage = zoomStage(element.querySelector('.marker-stage canvas'), () => pictureOf(shown) || null, paintPicture);
stage.canvas.tabIndex = 0;

function paintPicture(pen, scale) {
  const picture = pictureOf(shown);
  const image = photos.get(shown);
  if (!image) return;
  pen.drawImage(image, 0, 0, picture.width * scale, picture.height * scale);
  for (const mark of marksOn(shown)) {
    drawMark(pen, mark, picture, scale, now.classes.length > 1 && mark.label !== currentLabel);
  }
  if (drawing) paintDrawing(pen, picture, scale);
  if (cursor) drawCursor(pen, cursor[0] * scale, cursor[1] * scale);
  fitButton.disabled = stage.zoom === 1;
}

function paintDrawing(pen, picture, scale) {
  if (tool !== 'brush' && tool !== 'eraser') return drawMark(pen, drawing, picture, scale);
  pen.globalAlpha = 0.6;
  pen.strokeStyle = tool === 'eraser' ? '#ffffff' : tintOf(drawing);
  pen.lineCap = pen.lineJoin = 'round';
  pen.lineWidth = drawing.width * scale;
  pen.beginPath();
  for (const [x, y] of drawing.xy) pen.lineTo(x * scale, y * scale);
  if (drawing.xy.length === 1) pen.lineTo(drawing.xy[0][0] * scale + 0.01, drawing.xy[0][1] * scale);
  pen.stroke();
  pen.globalAlpha = 1;
}

// ---- what changed --------------------------------------------------------------------------------

function changed() {
  say(HINTS[tool]);
  show();
  strokeDue = true;
  sendReferences();
}

function sendReferences() {
  const mine = ++sending;
  referencesToSend().then((references) => {
    if (mine !== sending) return; // a later step is on its way
    send({ references });
    if (strokeDue) tellStroke();
    strokeDue = false;
  });
}

function send(part) {
  const { references } = props.value || { references: [] };
  props.value = { shown, label: currentLabel, references, about: null, ...part };
}

function show() {
  showClasses();
  showMarks();
  showReferences();
  tellClasses();
  const has = { undo: past.length || aside, redo: future.length, clear: marksOn(shown).length };
  for (const [action, possible] of Object.entries(has)) {
    element.querySelector('[data-do=' + action + ']').disabled = !possible;
  }
  stage.draw();
}

// ---- pictures ------------------------------------------------------------------------------------

function turnTo(id) {
  if (id === shown && photos.has(id)) return;
  shown = id;
  drawing = cursor = null;
  const picture = pictureOf(id);
  if (picture) chooseWidth(Math.max(picture.width, picture.height) / 48);
  stage.fit();
  send({});
  show();
}

function loadPhoto(picture) {
  const image = new Image();
  photos.set(picture.id, null);
  image.onload = () => {
    photos.set(picture.id, image);
    showReferences();
    stage.draw();
  };
  image.src = picture.src;
}

function forgetPictures() {
  if (photos.size && ![...photos.keys()].some(pictureOf)) {
    startOver([...photos.keys()]);
    strokeDue = now.marks.length > 0;
  } else if (now.marks.some((mark) => !pictureOf(mark.image))) {
    forgetMarks();
    strokeDue = true; // without them it is another question
  }
}

async function load() {
  const pictures = props.pictures || [];
  const given = props.given || { serial: null };
  const news = given.serial !== taken;
  taken = given.serial;
  if (!(news && given.replace)) forgetPictures();
  const fresh = pictures.filter((picture) => !photos.has(picture.id));
  fresh.forEach(loadPhoto);
  for (const id of [...photos.keys()]) {
    if (!pictureOf(id)) photos.delete(id);
  }
  const next = (news && given.shown) || (fresh.length ? fresh[0].id : shown);
  turnTo(pictureOf(next) ? next : (pictures[0] || { id: null }).id);
  if (news && given.references) await takeReferences(given);
  show();
  sendReferences();
}

// ---- buttons -------------------------------------------------------------------------------------

const fitButton = element.querySelector('[data-do=fit]');
const help = element.querySelector('.keys');
const actions = {
  undo: () => (past.length || !aside ? travel(past, future) : trigger('bring_back')),
  redo: () => travel(future, past),
  clear: () => marksOn(shown).length && removeMarks(marksOn(shown)),
  help: () => help.togglePopover(),
  ...zoomActions(stage),
};

element.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  const { tool: named, positive: sign, do: action, press } = button.dataset;
  if (named) chooseTool(named);
  else if (sign) choosePolarity(sign === 'true');
  else if (action) actions[action]();
  else if (press) pressOutside(press, button);
});

// Files are chosen and saved by buttons of the page that nobody sees.
function pressOutside(name, button) {
  const menu = button.closest('details');
  if (menu) menu.open = false;
  document.querySelector(props.presses[name]).click();
}

element.querySelector('.marker-width input').addEventListener('input', (event) => {
  chooseWidth(Number(event.target.value));
});
document.addEventListener('click', (event) => {
  const menu = element.querySelector('details');
  if (!menu.contains(event.target)) menu.open = false;
});

handsOn(stage, {
  start(event) {
    cursor = null;
    if (!photos.get(shown) || !stage.touches(event)) return false;
    begin(stage.toPicture(event), positive && event.button !== 2);
    return true;
  },
  move: (events) => drawing && events.forEach((event) => extend(stage.toPicture(event))),
  end(event) {
    if (!drawing) return;
    extend(stage.toPicture(event));
    finish();
  },
  abort: cancelDrawing,
});

document.addEventListener('vrpsam-leaving', ({ detail }) => (detail.canvas = props.value));
watch(['pictures', 'given'], load);
acceptPictures(element, { movies: false });
narrowBelow(element.querySelector('.marker'), 440);
chooseTool(tool);
load();
