// What the board knows. Joined to board.js, in the same function, before all others.

const DOUBTFUL = 0.5; // expected overlap below which a person should look twice

const photos = new Map(); // id of a picture -> its image
const answers = new Map(); // id -> {answer, cut, settings, searching, old}
let shown = null;
let taken = ''; // serial of what Python gave last
let classes = []; // {id, name, colour} of each, as the canvas has them
const classNames = new Map(); // id of a class that the canvas has, or had -> what it is called
let currentLabel = null;

const pictureOf = (id) => (props.pictures || []).find((picture) => picture.id === id);
const answerOf = (id) => answers.get(id)?.answer;
const isOld = (id) => Boolean(answers.get(id)?.old);

// A class that the canvas took away may come back by a step back. Until then nothing of it is shown or sent,
// and it has a name that nobody can type.
const isThere = (label) => !label.startsWith('\n');
const classesOf = (id) => (answerOf(id)?.classes || []).filter((each) => isThere(each.label));

// Takes the classes of the canvas; returns the new names of those that are called something else now.
function takeClasses(next) {
  const renamed = new Map();
  for (const [id, name] of classNames) {
    const now = next.find((each) => each.id === id)?.name ?? '\n' + id;
    if (now !== name) renamed.set(name, now);
    classNames.set(id, now);
  }
  for (const { id, name } of next) classNames.set(id, name);
  classes = next;
  return renamed;
}

function colourOf(label) {
  const known = classes.find((each) => each.name === label);
  if (known) return known.colour;
  const asked = classesOf(shown).map((each) => each.label);
  return props.palette[Math.max(0, asked.indexOf(label)) % props.palette.length];
}
const classColour = colourOf;

const stage = zoomStage(element.querySelector('.board-stage canvas'), () => pictureOf(shown) || null, (pen, scale) =>
  paintLarge(pen, scale),
);
