// Marks on a result: a click on what is wrong says "not this", a click on what is missing says "this too",
// a drag says "this is one". Joined to board.js, in the same function.

const SLIP = 5; // pixels on the screen that a click may move

let corrections = {}; // id of a picture -> label -> marks
let correctionSteps = []; // {id, old}: what was marked on a picture before each step, of the classes it changed
let correcting = null; // the mark under the hand
let corrected = false; // whether the person has done it once, and needs no hint

const onClassesThere = (mine) => Object.fromEntries(Object.entries(mine).filter(([label]) => isThere(label)));

function correctionsOn(id) {
  const mine = Object.entries(onClassesThere(corrections[id] || {}));
  return mine.flatMap(([label, marks]) => marks.map((mark) => ({ ...mark, label })));
}

// `changed`: label -> marks, of some classes.
function keepCorrections(id, changed) {
  const { [id]: before, ...rest } = corrections;
  const mine = Object.entries({ ...before, ...changed }).filter(([, marks]) => marks.length);
  corrections = mine.length ? { ...rest, [id]: Object.fromEntries(mine) } : rest;
  corrected = true;
  afterCorrection(id);
}

function changeCorrections(changed) {
  const before = corrections[shown] || {};
  const old = Object.fromEntries(Object.keys(changed).map((label) => [label, before[label] || []]));
  correctionSteps.push({ id: shown, old });
  keepCorrections(shown, changed);
}

const canTakeBack = ({ id, old }) => id === shown && Object.keys(old).some(isThere);

function undoCorrection() {
  const at = correctionSteps.findLastIndex(canTakeBack);
  if (at < 0) return;
  const [{ id, old }] = correctionSteps.splice(at, 1);
  keepCorrections(id, old);
}

function clearCorrections() {
  const labels = Object.keys(onClassesThere(corrections[shown] || {}));
  if (labels.length) changeCorrections(Object.fromEntries(labels.map((label) => [label, []])));
}

// They follow the names of their classes, in every step.
function renameCorrections(renamed) {
  const relabelled = (mine) =>
    Object.fromEntries(Object.entries(mine).map(([label, marks]) => [renamed.get(label) ?? label, marks]));
  corrections = Object.fromEntries(Object.entries(corrections).map(([id, mine]) => [id, relabelled(mine)]));
  correctionSteps = correctionSteps.map(({ id, old }) => ({ id, old: relabelled(old) }));
}

function correctionsToSend() {
  const sent = Object.entries(corrections).map(([id, mine]) => [id, onClassesThere(mine)]);
  return Object.fromEntries(sent.filter(([, mine]) => Object.keys(mine).length));
}

const tellCorrection = pauseBefore((id) => {
  send({ about: id });
  trigger('correct');
});

function afterCorrection(id) {
  render();
  send({ about: id });
  tellCorrection(id);
}

function addCorrection(mark, label) {
  const mine = (corrections[shown] || {})[label] || [];
  // One box is all that the model takes; a new one takes the place of the old.
  const kept = mark.type === 'box' ? mine.filter((each) => each.type !== 'box') : mine;
  changeCorrections({ [label]: [...kept, mark] });
}

// The class that new marks belong to, where no result says it.
function labelToCorrect() {
  const asked = classesOf(shown).map((each) => each.label);
  return asked.includes(currentLabel) ? currentLabel : asked[0];
}

handsOn(stage, {
  start(event) {
    cursor = null;
    if (!canCorrect() || !stage.touches(event)) return false;
    const at = stage.toPicture(event);
    correcting = { from: at, to: at, event, moved: false, negative: event.button === 2 || event.shiftKey };
    return true;
  },
  move(events) {
    const last = events[events.length - 1];
    const { event } = correcting;
    correcting.to = stage.toPicture(last);
    const way = Math.hypot(last.clientX - event.clientX, last.clientY - event.clientY);
    correcting.moved = correcting.moved || way > SLIP;
    stage.draw();
  },
  end() {
    // One finger that moves scrolls the page; only in the large view there is nothing to scroll.
    const scrolled = correcting.moved && correcting.event.pointerType === 'touch' && !isBig();
    const { mark, label } = correctionDrawn();
    correcting = null;
    if (!scrolled) addCorrection(mark, label);
    else stage.draw();
  },
  abort() {
    correcting = null;
    stage.draw();
  },
});

// Returns the mark that lies under the hand now, and its class.
function correctionDrawn() {
  const { from, to, moved, negative } = correcting;
  if (!moved) return pointAt(from, negative);
  const [left, right] = [from[0], to[0]].sort((a, b) => a - b);
  const [top, bottom] = [from[1], to[1]].sort((a, b) => a - b);
  const xyxy = [left, top, Math.max(right, left + 1), Math.max(bottom, top + 1)];
  return { mark: { type: 'box', xyxy, positive: !negative }, label: labelToCorrect() };
}

// Over what is found a point takes away, elsewhere it adds.
function pointAt([x, y], negative) {
  const picture = pictureOf(shown);
  const hit = classAt(cutOf(shown), picture, [x, y]);
  const xy = [Math.min(x, picture.width - 0.01), Math.min(y, picture.height - 0.01)];
  return { mark: { type: 'point', xy, positive: !hit && !negative }, label: hit || labelToCorrect() };
}

function drawCorrections(pen, picture, scale) {
  for (const mark of correctionsOn(shown)) drawMark(pen, mark, picture, scale);
  if (correcting && correcting.moved) {
    const { mark, label } = correctionDrawn();
    drawMark(pen, { ...mark, label }, picture, scale);
  }
  if (cursorHere()) drawCursor(pen, ...cursorHere().map((value) => value * scale));
}

// What a click would do shows in the hand.
stage.canvas.addEventListener('pointermove', (event) => {
  if (event.pointerType !== 'mouse' || correcting) return;
  const on = canCorrect() && stage.touches(event, 0);
  const hit = on && classAt(cutOf(shown), pictureOf(shown), stage.toPicture(event));
  stage.canvas.dataset.hand = !on ? '' : hit ? 'less' : 'more';
});
