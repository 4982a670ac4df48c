// Correcting a result without a mouse. Joined to board.js, in the same function.

let cursor = null; // {id, at}: where the arrow keys have moved to on a picture, once Enter began it

const cursorHere = () => (cursor?.id === shown ? cursor.at : null);

function putCursor(at) {
  cursor = at && { id: shown, at };
  if (at) stage.reveal(at);
  stage.draw();
}

// Returns whether the key was one of those that correct.
function correctionKey(event) {
  if (event.target !== stage.canvas || !canCorrect()) return false;
  const at = cursorHere();
  if (event.key === 'Enter' && !at) putCursor(middleOf(pictureOf(shown)));
  else if (!at) return false;
  else if (event.key === 'Enter') {
    const { mark, label } = pointAt(at, event.shiftKey);
    addCorrection(mark, label);
  } else if (ARROWS[event.key]) putCursor(walk(at, event, pictureOf(shown)));
  else if (event.key === 'Escape') putCursor(null);
  else return false;
  return true;
}
