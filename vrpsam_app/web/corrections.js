// Marks on a result: a click on what is wrong says "not this", a click on what is missing says "this too",
// a drag says "this is one". Joined to board.js, in the same function.

const SLIP = 5; // pixels on the screen that a click may move

let corrections = {}; // id of a picture -> label -> marks
let correcting = null; // the mark under the hand
let corrected = false; // whether the person has done it once, and needs no hint

const correctionsOn = (id) =>
  Object.entries(corrections[id] || {}).flatMap(([label, marks]) => marks.map((mark) => ({ ...mark, label })));

function keepCorrections(id, label, marks) {
  const { [label]: old, ...others } = corrections[id] || {};
  const mine = marks.length ? { ...others, [label]: marks } : others;
  const { [id]: before, ...rest } = corrections;
  corrections = Object.keys(mine).length ? { ...rest, [id]: mine } : rest;
  correctionSteps.push({ id, label, old: old || [] });
  corrected = true;
  afterCorrection(id);
}

const correctionSteps = [];

function undoCorrection() {
  const at = correctionSteps.findLastIndex((each) => each.id === shown);
  if (at < 0) return;
  const [{ id, label, old }] = correctionSteps.splice(at, 1);
  keepCorrections(id, label, old);
  correctionSteps.pop();
  render();
}

function clearCorrections() {
  for (const label of Object.keys(corrections[shown] || {})) keepCorrections(shown, label, []);
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
  keepCorrections(shown, label, [...kept, mark]);
}

// The class that new marks belong to, where no result says it.
function labelToCorrect() {
  const asked = (answerOf(shown)?.classes || []).map((each) => each.label);
  return asked.includes(currentLabel) ? currentLabel : asked[0];
}

handsOn(stage, {
  start(event) {
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
  const picture = pictureOf(shown);
  if (!moved) {
    const hit = classAt(cutOf(shown), picture, from);
    const xy = [Math.min(from[0], picture.width - 0.01), Math.min(from[1], picture.height - 0.01)];
    return { mark: { type: 'point', xy, positive: !hit && !negative }, label: hit || labelToCorrect() };
  }
  const [left, right] = [from[0], to[0]].sort((a, b) => a - b);
  const [top, bottom] = [from[1], to[1]].sort((a, b) => a - b);
  const xyxy = [left, top, Math.max(right, left + 1), Math.max(bottom, top + 1)];
  return { mark: { type: 'box', xyxy, positive: !negative }, label: labelToCorrect() };
}

function drawCorrections(pen, picture, scale) {
  for (const mark of correctionsOn(shown)) drawMark(pen, mark, picture, scale);
  if (correcting && correcting.moved) {
    const { mark, label } = correctionDrawn();
    drawMark(pen, { ...mark, label }, picture, scale);
  }
}

// Over what is found the hand takes away, elsewhere it adds.
stage.canvas.addEventListener('pointermove', (event) => {
  if (event.pointerType !== 'mouse' || correcting) return;
  const on = canCorrect() && stage.touches(event, 0);
  const hit = on && classAt(cutOf(shown), pictureOf(shown), stage.toPicture(event));
  stage.canvas.dataset.hand = !on ? '' : hit ? 'less' : 'more';
});
