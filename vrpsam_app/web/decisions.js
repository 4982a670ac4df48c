// What a person says of each result. Joined to board.js, in the same function.

let decisions = {}; // id of a picture -> verdict
const reopened = new Set(); // ids of pictures that were accepted with another result

// What is out of date is not what will be saved.
const canDecide = (verdict) =>
  canCorrect() && (verdict !== 'accept' || decisions[shown] === 'accept' || !isOld(shown));

function decide(verdict) {
  if (!shown || !canDecide(verdict)) return;
  const { [shown]: before, ...others } = decisions;
  reopened.delete(shown);
  decisions = before === verdict ? others : { ...others, [shown]: verdict };
  if (byDoubt && before !== verdict) {
    const open = inOrder().find(({ id }) => !decisions[id] && answerOf(id));
    if (open) shown = open.id;
    if (open) stage.fit();
  }
  render();
  send({});
}

// Who accepted a result has not accepted another one.
function reopen(id) {
  if (decisions[id] !== 'accept') return;
  const { [id]: accepted, ...others } = decisions;
  decisions = others;
  reopened.add(id);
  send({});
}

function showDecision() {
  for (const button of element.querySelectorAll('[data-verdict]')) {
    button.setAttribute('aria-pressed', String(decisions[shown] === button.dataset.verdict));
    button.disabled = !canDecide(button.dataset.verdict);
  }
}
