// What is marked on all pictures, and every step back. Joined to canvas.js, in the same function. A state
// never changes: a step makes another one, so going back is taking the one before.

// Each mark knows its picture (`image`) and class (`label`); `exhaustive` holds keys of both.
let now = { marks: [], exhaustive: [], classes: [] };
let past = []; // {state, shown, label}: what was there before a step, and where it was made
let future = [];
let lastClass = 0; // id of the class that was made last

const keyOf = (image, label) => image + '\n' + label;

function step(change) {
  past.push({ state: now, shown, label: currentLabel });
  future = [];
  now = { ...now, ...change };
  changed();
}

function travel(from, to) {
  const there = from.pop();
  if (!there) return;
  to.push({ state: now, shown: there.shown, label: there.label });
  now = there.state;
  if (pictureOf(there.shown)) shown = there.shown;
  currentLabel = hasClass(there.label) ? there.label : now.classes[0].name;
  changed();
}

let aside = null; // {pictures, now, past, future, label} of those whose place others have taken

// Other pictures are another question: what the classes were called does not matter any more. A step back
// from their beginning brings the ones before, with what was marked on them.
function startOver(gone) {
  const back = aside && props.pictures.every(({ id }) => aside.pictures.includes(id)) ? aside : null;
  aside = back ? null : { pictures: gone, now, past, future, label: currentLabel };
  if (back) {
    ({ now, past, future, label: currentLabel } = back);
    return;
  }
  [past, future] = [[], []];
  now = { marks: [], exhaustive: [], classes: withClass([], 'object') };
  currentLabel = 'object';
}

// Drops marks on pictures that are gone, from every step: what nobody sees is not to be taken back either.
function forgetMarks() {
  const left = (state) => ({
    ...state,
    marks: state.marks.filter((mark) => pictureOf(mark.image)),
    exhaustive: state.exhaustive.filter((key) => pictureOf(key.split('\n')[0])),
  });
  const same = (some, others) =>
    ['marks', 'exhaustive', 'classes'].every(
      (part) => some[part].length === others[part].length && some[part].every((each, at) => each === others[part][at]),
    );
  const stepsOf = (steps) =>
    steps
      .map((each) => ({ ...each, state: left(each.state) }))
      .filter(({ state }, at, all) => !same(state, (all[at + 1] || { state: now }).state));
  now = left(now);
  past = stepsOf(past);
  future = stepsOf(future);
}

const marksOn = (image, label) =>
  now.marks.filter((mark) => mark.image === image && (label === undefined || mark.label === label));

function addMark(mark) {
  step({ marks: [...now.marks, { image: shown, label: currentLabel, ...mark }] });
}

const removeMarks = (gone) => step({ marks: now.marks.filter((mark) => !gone.includes(mark)) });

const replaceMark = (old, mark) => step({ marks: now.marks.map((each) => (each === old ? mark : each)) });

function setExhaustive(on) {
  const key = keyOf(shown, currentLabel);
  const others = now.exhaustive.filter((each) => each !== key);
  step({ exhaustive: on ? [...others, key] : others });
}

// ---- classes -------------------------------------------------------------------------------------

// Each is {id, name, colour}; a class keeps its colour whatever becomes of the others, and its id whatever it
// is called.
const hasClass = (name) => now.classes.some((each) => each.name === name);

function withClass(classes, name) {
  if (classes.some((each) => each.name === name)) return classes;
  const known = now.classes.find((each) => each.name === name);
  const free = props.palette.findIndex((colour) => classes.every((each) => each.colour !== colour));
  return [...classes, { id: known ? known.id : ++lastClass, name, colour: props.palette[free < 0 ? 0 : free] }];
}

function classColour(name) {
  const known = now.classes.find((each) => each.name === name);
  return known ? known.colour : props.palette[0];
}

function addClass() {
  let number = now.classes.length + 1;
  while (hasClass('object ' + number)) number++;
  step({ classes: withClass(now.classes, 'object ' + number) });
  currentLabel = 'object ' + number;
  changed();
}

// Returns whether the name could be given.
function renameClass(old, typed) {
  const name = typed.replace(/\s+/g, ' ').trim().slice(0, 60);
  if (name === old) return true;
  if (!name || hasClass(name)) return false;
  const renamed = (label) => (label === old ? name : label);
  step({
    classes: now.classes.map((each) => ({ ...each, name: renamed(each.name) })),
    marks: now.marks.map((mark) => ({ ...mark, label: renamed(mark.label) })),
    exhaustive: now.exhaustive.map((key) => {
      const [image, label] = key.split('\n');
      return keyOf(image, renamed(label));
    }),
  });
  currentLabel = renamed(currentLabel);
  changed();
  return true;
}

function removeClass(name) {
  if (now.classes.length < 2) return;
  step({
    classes: now.classes.filter((each) => each.name !== name),
    marks: now.marks.filter((mark) => mark.label !== name),
  });
  if (currentLabel === name) currentLabel = now.classes[0].name;
  changed();
}

// ---- over the border -----------------------------------------------------------------------------

async function toWire(mark, picture) {
  const { type, positive } = mark;
  if (type === 'mask') return { type, png: await paintedPng(mark, picture), positive };
  if (type === 'kept') return { type, key: mark.key, positive };
  if (type === 'box') return { type, xyxy: mark.xyxy, positive };
  if (type === 'point') return { type, xy: mark.xy, positive };
  return { type, xy: mark.xy, width: mark.width, positive };
}

// Returns the references as Python takes them.
async function referencesToSend() {
  const sent = [];
  for (const { name: label } of now.classes) {
    for (const picture of props.pictures) {
      const marks = marksOn(picture.id, label);
      if (!marks.length) continue;
      sent.push({
        image: picture.id,
        label,
        exhaustive: now.exhaustive.includes(keyOf(picture.id, label)),
        marks: await Promise.all(marks.map((mark) => toWire(mark, picture))),
      });
    }
  }
  return sent;
}

async function fromWire(mark, image, label) {
  const known = { ...mark, image, label, positive: mark.positive !== false };
  const picture = pictureOf(image);
  if (mark.type === 'mask') {
    const png = mark.png.slice(mark.png.indexOf(',') + 1);
    return { ...known, png, base: await paintedBase(png, paintGrid(picture)), strokes: [] };
  }
  if (mark.type === 'kept') {
    const base = mark.png ? await paintedBase(mark.png, paintGrid(picture)) : null;
    return { ...known, base, strokes: [] };
  }
  if (mark.type === 'scribble' && !mark.width) known.width = hundredths(2 * pointRadius(picture));
  return known;
}

// Takes references that Python gave: in the place of everything, or as one step.
async function takeReferences({ references, replace }) {
  const marks = [];
  const exhaustive = [];
  const untouched = !now.marks.length && now.classes.length < 2;
  let classes = replace || (untouched && references.length) ? [] : now.classes;
  for (const { image, label, exhaustive: all, marks: given } of references) {
    if (!pictureOf(image)) continue;
    classes = withClass(classes, label);
    currentLabel = label;
    if (all) exhaustive.push(keyOf(image, label));
    for (const mark of given) marks.push(await fromWire(mark, image, label));
  }
  if (!classes.length) {
    classes = withClass([], 'object');
    currentLabel = 'object';
  }
  if (!replace) {
    step({
      marks: [...now.marks, ...marks],
      exhaustive: [...new Set([...now.exhaustive, ...exhaustive])],
      classes,
    });
  } else {
    [past, future, aside] = [[], [], null];
    now = { marks, exhaustive, classes };
  }
}
