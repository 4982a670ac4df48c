// The pictures that are searched: one large, all of them small below. Gradio runs this, after the files it is
// joined to, as the body of a function of (element, trigger, props, server, upload, watch). What goes over
// the border is written in board.py.

const stageBox = element.querySelector('.board-stage');
const caption = element.querySelector('.board-caption');

// ---- answers -------------------------------------------------------------------------------------

// An answer stays after Python took it away, as one that is out of date, until there is another.
function takeAnswers() {
  const fresh = new Map((props.answers || []).map((answer) => [answer.id, answer]));
  for (const [id, entry] of answers) {
    if (!pictureOf(id)) answers.delete(id);
    else if (!fresh.has(id)) Object.assign(entry, { old: true, searching: false });
  }
  for (const [id, answer] of fresh) {
    const entry = answers.get(id) || { answer: null, cuts: null, searching: false, old: false };
    answers.set(id, entry);
    entry.searching = answer.state === 'searching';
    if (entry.searching) continue;
    entry.old = false;
    if (JSON.stringify(entry.answer?.classes) === JSON.stringify(answer.classes)) {
      entry.answer = { ...answer, classes: entry.answer.classes };
    } else readLevels(entry, answer);
  }
}

async function readLevels(entry, answer) {
  entry.wanted = answer;
  const classes = await Promise.all(
    answer.classes.map(async (each) => {
      const layer = each.present && each.levels ? await readGreyPng(each.levels) : null;
      return Object.defineProperty({ ...each }, 'layer', { value: layer });
    }),
  );
  // A later one came meanwhile, or a project.
  if (entry.wanted !== answer || answers.get(answer.id) !== entry) return;
  const before = entry.answer ? { cut: cutOf(answer.id) } : null;
  entry.answer = { ...answer, classes };
  entry.cut = undefined;
  if (before && !sameCut(before.cut, cutOf(answer.id))) reopen(answer.id);
  render();
  if (thumbs.has(answer.id)) paintThumb(pictureOf(answer.id), thumbs.get(answer.id));
}

// What is drawn of a picture at the settings of now.
function cutOf(id) {
  const entry = answers.get(id);
  if (entry?.answer?.state !== 'done') return null;
  const settings = threshold + '/' + minArea;
  if (entry.cut === undefined || entry.settings !== settings) {
    entry.cut = cutAnswer(classesOf(id), pictureOf(id), threshold, minArea);
    entry.settings = settings;
  }
  return entry.cut;
}

function stateOf(id) {
  const entry = answers.get(id);
  if (entry?.searching) return 'searching';
  if (!entry?.answer) return 'waiting';
  if (entry.answer.state === 'failed') return 'failed';
  if (!classesOf(id).length) return 'waiting';
  return classesOf(id).some((each) => each.present) ? 'found' : 'absent';
}

const isDoubtful = (id) => stateOf(id) === 'found' && !isOld(id) && certainty(id) < DOUBTFUL;
const areFixed = () => [...answers.values()].some(({ answer, old }) => answer?.fixed && !old);
const isAnswered = (id) => ['found', 'absent'].includes(stateOf(id)) && !isOld(id);
const canCorrect = () => ['found', 'absent'].includes(stateOf(shown));

// ---- in words ------------------------------------------------------------------------------------

const percent = (share) => (share >= 0.01 ? Math.round(100 * share) + '%' : share ? 'less than 1%' : 'none');

function captionOf(id) {
  const state = stateOf(id);
  const entry = answers.get(id);
  if (state === 'searching') return { title: 'Looking…', detail: '' };
  if (state === 'waiting') return { title: pictureOf(id)?.name || '', detail: 'not searched yet' };
  if (state === 'failed') return { title: 'This did not work', detail: entry.answer.note };
  if (state === 'absent') {
    const likely = Math.max(...classesOf(id).map((each) => each.presence));
    return { title: 'Nothing like it here', detail: newsOf(id) || percent(likely) + ' likely that there is' };
  }
  const cut = cutOf(id);
  if (!cut) return { title: 'Nothing at these settings', detail: newsOf(id) };
  const share = cut.classes.reduce((sum, each) => sum + each.share, 0);
  const score = Math.min(...classesOf(id).filter((each) => each.present).map((each) => each.score));
  const detail = percent(share) + ' of the picture · outline about ' + percent(score) + ' right';
  const title = countsOf(cut) + (isDoubtful(id) ? ', look twice' : '');
  return { title, detail: newsOf(id) || detail };
}

function countsOf(cut) {
  if (cut.classes.length === 1) return cut.classes[0].count + ' found';
  return cut.classes.map(({ label, count }) => count + ' × ' + label).join(', ');
}

// The result as the page says it elsewhere.
function foundWords(id) {
  const { name } = pictureOf(id);
  const state = stateOf(id);
  if (state === 'absent') return 'Nothing like it in ' + name + '.';
  if (state === 'failed') return name + ' did not work.';
  if (state !== 'found') return '';
  return (cutOf(id) ? countsOf(cutOf(id)) : 'Nothing at these settings') + ' in ' + name + '.';
}

function newsOf(id) {
  if (isOld(id)) return 'out of date, press Find';
  return reopened.has(id) ? 'was accepted, look again' : answerOf(id)?.note || '';
}

// The title, with the colour of each class before its name where there are several.
function titleNodes(title) {
  const cut = stateOf(shown) === 'found' && cutOf(shown);
  if (!cut || cut.classes.length < 2) return [title];
  const dots = cut.classes.map(({ label }) => {
    const dot = document.createElement('i');
    dot.style.setProperty('--tint', colourOf(label));
    return dot;
  });
  const words = title.split(', ');
  return words.flatMap((word, at) => [...(dots[at] ? [dots[at]] : []), word + (words[at + 1] ? ', ' : '')]);
}

function badgeOf(id) {
  const state = stateOf(id);
  if (state === 'searching') return '…';
  if (state === 'failed') return '!';
  if (state === 'absent') return 'none';
  const cut = state === 'found' && cutOf(id);
  return cut ? String(cut.classes.reduce((sum, each) => sum + each.count, 0)) : '';
}

// ---- on the screen -------------------------------------------------------------------------------

function paintLarge(pen, scale) {
  const picture = pictureOf(shown);
  const image = photos.get(shown);
  if (!image) return;
  pen.drawImage(image, 0, 0, picture.width * scale, picture.height * scale);
  element.querySelector('[data-do=fit]').disabled = stage.zoom === 1;
  if (comparing) return;
  const cut = cutOf(shown);
  if (cut) drawCut(pen, cut, picture, scale, opacity, isOld(shown) ? 0.45 : 1);
  drawCorrections(pen, picture, scale);
}

function render() {
  const picture = pictureOf(shown);
  element.querySelector('.board-empty').hidden = Boolean(picture);
  stageBox.dataset.state = picture ? stateOf(shown) : 'empty';
  const { title, detail } = picture ? captionOf(shown) : { title: '', detail: '' };
  const [strong, span] = caption.querySelectorAll('strong, span');
  if (strong.textContent !== title) strong.replaceChildren(...titleNodes(title));
  if (span.textContent !== detail) span.textContent = detail;
  caption.querySelector('em').textContent = picture && title !== picture.name ? picture.name : '';
  const said = picture ? picture.name + ': ' + title + '. ' + detail : 'No picture';
  stage.canvas.setAttribute('aria-label', said + (canCorrect() ? '. Press Enter to correct it.' : ''));
  compareButton.disabled = !cutOf(shown);
  element.querySelector('[data-do=reuse]').disabled = stateOf(shown) !== 'found';
  showCorrections();
  showHint();
  tellOthers();
  showDecision();
  showTotals();
  showSliders();
  showStrip();
  stage.draw();
}

// What may be saved of it, and the link to it in the line under the button.
function tellOthers() {
  const saved = { shown: isAnswered(shown), all: props.pictures.some(({ id }) => isAnswered(id)) };
  for (const [name, selector] of Object.entries(props.saves)) {
    const button = document.querySelector(selector);
    if (button) button.disabled = !saved[name];
  }
  sayFound();
}

function sayFound() {
  const link = document.querySelector(props.status_selector + ' [data-found]');
  const words = pictureOf(shown) ? foundWords(shown) : '';
  if (link && link.textContent !== words) link.textContent = words;
}

// Below the result: what else could be done here.
function showHint() {
  const hint = element.querySelector('.board-hint');
  hint.hidden = !canCorrect() || corrected || Boolean(newsOf(shown));
  const several = classesOf(shown).length > 1;
  const doing = window.matchMedia('(pointer: coarse)').matches ? 'Tap' : 'Click';
  hint.textContent = doing + ' what is wrong or missing' + (several ? ' of ' + labelToCorrect() : '');
}

function showCorrections() {
  const count = correctionsOn(shown).length;
  const note = element.querySelector('.board-corrections');
  const [undo, clear] = note.querySelectorAll('button');
  undo.hidden = !correctionSteps.some(canTakeBack);
  clear.hidden = !count;
  note.hidden = undo.hidden && clear.hidden;
  note.querySelector('span').textContent = (count || 'No') + (count === 1 ? ' correction' : ' corrections');
}

function showTotals() {
  const ids = props.pictures.map(({ id }) => id);
  const answered = ids.filter((id) => ['found', 'absent'].includes(stateOf(id)));
  const decided = answered.filter((id) => decisions[id]).length;
  const words = [ids.length + (ids.length === 1 ? ' picture' : ' pictures')];
  if (decided) words.push(decided + ' decided');
  element.querySelector('.board-totals').textContent = words.join(' · ');
}

function choose(id) {
  if (id === shown) return;
  shown = id;
  stage.fit();
  render();
  send({});
  trigger('pick');
}

function send(part) {
  props.value = {
    shown,
    threshold,
    min_area: minArea,
    label: labelToCorrect() || null,
    decisions,
    corrections: correctionsToSend(),
    about: null,
    ...part,
  };
}

// ---- from Python ---------------------------------------------------------------------------------

function loadPhotos() {
  for (const picture of props.pictures) {
    if (photos.has(picture.id)) continue;
    photos.set(picture.id, null);
    const image = new Image();
    image.onload = () => {
      photos.set(picture.id, image);
      if (thumbs.has(picture.id)) paintThumb(picture, thumbs.get(picture.id));
      stage.draw();
    };
    image.src = picture.src;
  }
  for (const id of [...photos.keys()]) {
    if (!pictureOf(id)) photos.delete(id);
  }
}

function takeGiven() {
  const given = props.given || { serial: '' };
  if (given.serial === taken) return;
  taken = given.serial;
  if (given.shown && given.shown !== shown) {
    shown = given.shown;
    stage.fit();
  }
  if (!given.decisions) return;
  threshold = given.threshold ?? threshold;
  minArea = given.min_area ?? minArea;
  decisions = given.decisions;
  corrections = given.corrections ?? {};
  // What was done before was done on something else.
  correctionSteps = [];
  reopened.clear();
  answers.clear();
}

function update() {
  loadPhotos();
  takeGiven();
  takeAnswers();
  if (!pictureOf(shown)) {
    shown = props.pictures.length ? props.pictures[0].id : null;
    stage.fit();
  }
  render();
  paintThumbsSoon();
  send({});
}

document.addEventListener('click', (event) => {
  const link = event.target.closest(props.status_selector + ' [data-found]');
  const below = board.getBoundingClientRect().top > 0.6 * window.innerHeight;
  if (link) event.preventDefault();
  else if (!below || !event.target.closest(props.find_selector)) return;
  const still = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
  board.scrollIntoView({ behavior: still ? 'auto' : 'smooth', block: 'start' });
});

document.addEventListener('vrpsam-classes', ({ detail }) => {
  currentLabel = detail.current;
  const renamed = takeClasses(detail.classes);
  if (renamed.size) rename(renamed);
  render();
  paintThumbsSoon();
});

// Results and corrections follow the names of their classes.
function rename(renamed) {
  for (const entry of answers.values()) {
    for (const each of entry.answer?.classes || []) each.label = renamed.get(each.label) ?? each.label;
    entry.cut = undefined;
  }
  renameCorrections(renamed);
  send({});
}

const statusLine = document.querySelector(props.status_selector);
if (statusLine) new MutationObserver(sayFound).observe(statusLine, { childList: true, subtree: true });
document.addEventListener('vrpsam-leaving', ({ detail }) => (detail.board = props.value));
narrowBelow(board, 560);
acceptPictures(element, { movies: true });
leaveHiddenFilesOut();
watch(['pictures', 'answers', 'given'], update);
update();
document.dispatchEvent(new Event('vrpsam-board'));
