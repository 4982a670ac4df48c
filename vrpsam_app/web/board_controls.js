// Sliders, the large view and the keys of the board. Joined to board.js, in the same function.

let threshold = 0.5;
let minArea = 0; // pixels of the original
let opacity = 0.45;

const slider = (name) => element.querySelector('[data-slider=' + name + ']');
const MOST_ACROSS = 200; // pixels of the original, at the right end of the slider

function showSliders() {
  const across = Math.round(Math.sqrt(minArea));
  slider('threshold').value = String(Math.round(threshold * 100));
  slider('smallest').value = String(Math.round(100 * Math.sqrt(across / MOST_ACROSS)));
  slider('opacity').value = String(Math.round(opacity * 100));
  slider('threshold').disabled = areFixed();
  const words = {
    threshold: areFixed() ? 'as saved' : Math.round(threshold * 100) + '%',
    smallest: across ? across + ' px across' : 'any',
    opacity: opacity ? Math.round(opacity * 100) + '%' : 'outline',
  };
  for (const [name, text] of Object.entries(words)) {
    const input = slider(name);
    input.setAttribute('aria-valuetext', text);
    input.parentElement.querySelector('output').textContent = text;
    input.style.setProperty('--share', (input.value - input.min) / (input.max - input.min));
  }
}

for (const input of element.querySelectorAll('[data-slider]')) {
  input.addEventListener('input', () => {
    const value = Number(input.value);
    if (input.dataset.slider === 'threshold') threshold = value / 100;
    else if (input.dataset.slider === 'opacity') opacity = value / 100;
    else minArea = Math.round(MOST_ACROSS * (value / 100) ** 2) ** 2;
    render();
    paintThumbsSoon();
    if (input.dataset.slider !== 'opacity') send({});
  });
}

const board = element.querySelector('.board');
const isBig = () => board.classList.contains('big');

let covered = []; // what lies behind the large view

// Nothing behind the large view takes the focus; what the page says of errors stands above it.
function cover(on) {
  for (const each of covered) each.inert = false;
  covered = [];
  if (!on) return;
  for (let each = element; each !== document.body; each = each.parentElement) {
    const others = [...each.parentElement.children].filter((other) => other !== each && !other.inert);
    covered.push(...others.filter((other) => !other.matches('.toast-wrap') && !other.querySelector('.toast-wrap')));
  }
  for (const each of covered) each.inert = true;
}

function enlarge(on) {
  board.classList.toggle('big', on);
  document.documentElement.classList.toggle('has-big-view', on);
  cover(on);
  const button = element.querySelector('[data-do=big]');
  button.setAttribute('aria-pressed', String(on));
  button.title = button.ariaLabel = on ? 'Back (Esc)' : 'Large view (V)';
  stage.canvas.focus({ preventScroll: true });
  stage.fit();
}

let comparing = false;

function compare(on) {
  comparing = on;
  element.querySelector('.board-compare').setAttribute('aria-pressed', String(on));
  stage.draw();
}

const compareButton = element.querySelector('.board-compare');
compareButton.addEventListener('pointerdown', (event) => {
  compareButton.setPointerCapture(event.pointerId);
  compare(true);
});
for (const end of ['pointerup', 'pointercancel', 'blur']) {
  compareButton.addEventListener(end, () => compare(false));
}
compareButton.addEventListener('keydown', (event) => {
  if (event.key === ' ' || event.key === 'Enter') compare(true);
});
compareButton.addEventListener('keyup', () => compare(false));
compareButton.addEventListener('contextmenu', (event) => event.preventDefault());

const help = element.querySelector('.keys');
const actions = {
  big: () => enlarge(!isBig()),
  undo: undoCorrection,
  clear: clearCorrections,
  help: () => help.togglePopover(),
  reuse() {
    send({ about: shown });
    trigger('reuse');
  },
  ...zoomActions(stage),
};

element.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  if (button.dataset.verdict) decide(button.dataset.verdict);
  else if (button.dataset.do && !button.disabled) actions[button.dataset.do]();
});
element.querySelector('.board-sort input').addEventListener('change', (event) => {
  byDoubt = event.target.checked;
  render();
});

const VERDICT_KEYS = { a: 'accept', f: 'fix', r: 'reject' };

function boardKey(event, key) {
  if (event.key === 'Escape' && isBig()) enlarge(false);
  else if (event.key === 'ArrowLeft' || event.key === 'ArrowRight') chooseBy(key === 'arrowleft' ? -1 : 1);
  else if ((key === 'delete' || key === 'backspace') && event.target.matches('.thumb')) takeOutShown();
  else if (VERDICT_KEYS[key]) decide(VERDICT_KEYS[key]);
  else if (key === 'c') compare(true);
  else if (key === 'v') actions.big();
  else if (key === 'u' && !element.querySelector('[data-do=reuse]').disabled) actions.reuse();
  else if (key === '?') actions.help();
  else if (ZOOM_KEYS[key]) actions[ZOOM_KEYS[key]]();
  else return false;
  return true;
}

element.addEventListener('keydown', (event) => {
  if (event.target.matches('input') || (event.target.matches('button') && [' ', 'Enter'].includes(event.key))) {
    return;
  }
  const key = event.key.toLowerCase();
  if ((event.ctrlKey || event.metaKey) && key === 'z') undoCorrection();
  else if (event.ctrlKey || event.metaKey || event.altKey) return;
  else if (!correctionKey(event) && !boardKey(event, key)) return;
  event.preventDefault();
});
element.addEventListener('keyup', (event) => event.key.toLowerCase() === 'c' && compare(false));
