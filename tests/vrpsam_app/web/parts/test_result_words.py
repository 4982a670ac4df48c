"""What the page says of a result outside of its picture."""

from __future__ import annotations

import numpy as np

SQUARE = np.full((120, 200), 5, np.uint8)
SQUARE[40:80, 60:100] = 90
AROUND = """document.body.insertAdjacentHTML('beforeend', `<div id=status><a data-found></a></div>
  <button id=save-mask></button><button id=save-all></button>`)"""


def test_the_rest_of_the_page_hears_of_the_result(board, answer, make_picture):
    part = board(make_picture("one"), make_picture("two"))
    part.page.evaluate(AROUND)
    resting = "[...document.querySelectorAll('#save-mask, #save-all')].map((b) => b.disabled)"
    part.give(answers=[])
    assert part.page.evaluate(resting) == [True, True]
    part.give(answers=[answer("one", coin=SQUARE)])
    part.page.wait_for_selector(".thumb[data-state=found]")
    link = part.page.locator("#status a")
    assert link.text_content() == "1 found in one.png."
    assert part.page.evaluate(resting) == [False, False]
    assert part.page.locator(".board-caption em").text_content() == "one.png"
    part.page.locator(".thumb").nth(1).click()
    assert link.text_content() == ""
    assert part.page.evaluate(resting) == [True, False]
    part.give(answers=[answer("one", coin=SQUARE), answer("two", coin=None)])
    part.page.wait_for_selector(".thumb[data-state=absent]")
    assert link.text_content() == "Nothing like it in two.png."


def test_a_hint_lies_beside_the_result_and_not_on_it(board, answer):
    part = board()
    part.give(answers=[answer("one", coin=SQUARE)])
    part.page.wait_for_selector(".thumb[data-state=found]")
    hint = part.page.locator(".board-hint")
    assert hint.text_content() == "Click what is wrong or missing"
    assert hint.evaluate("(hint) => hint.closest('.stage')") is None
