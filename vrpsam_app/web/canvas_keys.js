// Everything that can be done without a mouse. Joined to canvas.js, in the same function.

const TOOL_KEYS = { p: 'point', b: 'box', s: 'scribble', m: 'brush', e: 'eraser' };

let cursor = null; // where the arrow keys have moved to, in picture pixels

function moveCursor(event) {
  cursor = walk(cursor || middleOf(pictureOf(shown)), event, pictureOf(shown));
  if (drawing) extend(cursor);
  stage.reveal(cursor);
  stage.draw();
}

function pressCursor() {
  cursor = cursor || middleOf(pictureOf(shown));
  if (drawing) finish();
  else {
    begin(cursor, positive);
    if (tool === 'point') finish();
  }
}

function giveUp() {
  cursor = null;
  cancelDrawing();
}

function commandKey(key, shifted) {
  if (key === 'z') actions[shifted ? 'redo' : 'undo']();
  else if (key === 'y') actions.redo();
  else return false;
  return true;
}

function plainKey(event, key) {
  if (ARROWS[event.key]) moveCursor(event);
  else if (event.key === 'Enter') pressCursor();
  else if (event.key === 'Delete' || event.key === 'Backspace') removeLast();
  else if (TOOL_KEYS[key]) chooseTool(TOOL_KEYS[key]);
  else if (key === 'n') choosePolarity(!positive);
  else if (key === '[' || key === ']') chooseWidth(strokeWidth * (key === ']' ? 1.25 : 0.8) + (key === ']' ? 0.5 : -0.5));
  else if (ZOOM_KEYS[key]) actions[ZOOM_KEYS[key]]();
  else if (key === 'pageup' || key === 'pagedown') turnBy(key === 'pageup' ? -1 : 1);
  else if (key === '?') actions.help();
  else return false;
  return true;
}

function removeLast() {
  const mine = marksOn(shown);
  if (mine.length) removeMarks(mine.slice(-1));
}

function turnBy(places) {
  const at = props.pictures.findIndex((picture) => picture.id === shown) + places;
  if (props.pictures[at]) turnTo(props.pictures[at].id);
}

element.addEventListener('keydown', (event) => {
  if (!pictureOf(shown) || event.target.matches('input')) return;
  const key = event.key.toLowerCase();
  let used = true;
  if (event.key === 'Escape' && help.matches(':popover-open')) used = false;
  else if (event.key === 'Escape') giveUp();
  else if (event.ctrlKey || event.metaKey) used = commandKey(key, event.shiftKey);
  else if (event.target === stage.canvas) used = plainKey(event, key);
  else used = false;
  if (used) event.preventDefault();
});
