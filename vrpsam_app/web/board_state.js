// What the board knows. Joined to board.js, in the same function, before all others.

const DOUBTFUL = 0.5; // expected overlap below which a person should look twice

const photos = new Map(); // id of a picture -> its image
const answers = new Map(); // id -> {answer, cut, settings, searching, old}
let shown = null;
let taken = ''; // serial of what Python gave last
let colours = {}; // of classes, as the canvas has them
let currentLabel = null;

const pictureOf = (id) => (props.pictures || []).find((picture) => picture.id === id);
const answerOf = (id) => answers.get(id)?.answer;
const isOld = (id) => Boolean(answers.get(id)?.old);

function colourOf(label) {
  if (colours[label]) return colours[label];
  const asked = (answerOf(shown)?.classes || []).map((each) => each.label);
  return props.palette[Math.max(0, asked.indexOf(label)) % props.palette.length];
}
const classColour = colourOf;

const stage = zoomStage(element.querySelector('.board-stage canvas'), () => pictureOf(shown) || null, (pen, scale) =>
  paintLarge(pen, scale),
);
