// What was drawn, in words, and the classes. Joined to canvas.js, in the same function.

const markList = element.querySelector('.mark-list');
const classRow = element.querySelector('.class-row');
const exhaustiveBox = element.querySelector('.marker-exhaustive input');

function removeButton(words, remove) {
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = '×';
  button.title = words;
  button.setAttribute('aria-label', words);
  button.onclick = remove;
  return button;
}

function showMarks() {
  const marks = marksOn(shown);
  markList.replaceChildren(
    ...marks.map((mark) => {
      const item = document.createElement('li');
      item.className = mark.positive ? 'this' : 'not-this';
      item.style.setProperty('--tint', tintOf(mark));
      const words = (mark.positive ? '' : 'Not this: ') + describe(mark);
      const text = document.createElement('span');
      text.textContent = words;
      if (now.classes.length > 1) item.title = mark.label;
      item.append(text, removeButton('Remove ' + words, () => removeMarks([mark])));
      return item;
    }),
  );
  markList.classList.toggle('empty', !marks.length);
  markList.scrollLeft = markList.scrollWidth;
  exhaustiveBox.checked = now.exhaustive.includes(keyOf(shown, currentLabel));
  exhaustiveBox.disabled = !marksOn(shown, currentLabel).some((mark) => mark.positive);
}

function classChip({ name, colour }) {
  const chip = document.createElement('span');
  chip.className = 'class-chip';
  chip.style.setProperty('--tint', colour);
  chip.dataset.current = String(name === currentLabel);
  const dot = document.createElement('button');
  dot.type = 'button';
  dot.className = 'class-dot';
  dot.setAttribute('role', 'radio');
  dot.setAttribute('aria-checked', String(name === currentLabel));
  dot.setAttribute('aria-label', 'Mark ' + name);
  const input = document.createElement('input');
  input.value = name;
  input.maxLength = 60;
  input.setAttribute('aria-label', 'Name of this kind');
  input.title = 'What it is called. Click to rename';
  input.size = clamp(name.length, 4, 16);
  input.spellcheck = false;
  dot.onclick = input.onfocus = () => chooseClass(name);
  input.onchange = () => renameClass(name, input.value) || (input.value = name);
  input.onkeydown = (event) => {
    if (event.key === 'Enter' || event.key === 'Escape') {
      if (event.key === 'Escape') input.value = name;
      input.blur();
    }
  };
  chip.append(dot, input);
  if (now.classes.length > 1) {
    chip.append(removeButton('Remove ' + name + ' and its marks', () => removeClass(name)));
  }
  return chip;
}

let drawnClasses = '';

function showClasses() {
  for (const chip of classRow.querySelectorAll('.class-chip')) {
    const current = chip.querySelector('input').value === currentLabel;
    chip.dataset.current = String(current);
    chip.querySelector('.class-dot').setAttribute('aria-checked', String(current));
  }
  const wanted = JSON.stringify(now.classes);
  if (wanted === drawnClasses) return;
  drawnClasses = wanted;
  for (const chip of classRow.querySelectorAll('.class-chip')) chip.remove();
  classRow.prepend(...now.classes.map(classChip));
  classRow.querySelector('.class-add').hidden = now.classes.length >= props.palette.length;
}

function chooseClass(name) {
  currentLabel = name;
  showClasses();
  showMarks();
  stage.draw();
  tellClasses();
}

// The board calls classes the same, and draws them in the same colours.
function tellClasses() {
  const detail = { classes: now.classes, current: currentLabel };
  document.dispatchEvent(new CustomEvent('vrpsam-classes', { detail }));
}
document.addEventListener('vrpsam-board', tellClasses);

classRow.querySelector('.class-add').onclick = () => {
  addClass();
  const name = [...classRow.querySelectorAll('.class-chip input')].pop();
  name.focus();
  name.select();
};
exhaustiveBox.onchange = () => setExhaustive(exhaustiveBox.checked);
