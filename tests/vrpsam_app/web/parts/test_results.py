"""The board: what it makes of levels, how results are corrected, decided and looked at."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from vrpsam_app.web.session import THRESHOLD_STEPS


def blobs(seed: int, hw: tuple[int, int] = (120, 200), spread: float = 5.0) -> np.ndarray:
    """Return smooth random levels of 0 to 99."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=hw), spread)
    low, high = noise.min(), noise.max()
    return ((noise - low) / (high - low) * (THRESHOLD_STEPS - 1)).astype(np.uint8)


def square(hw=(120, 200), rows=slice(40, 80), columns=slice(60, 100), level=90):
    levels = np.full(hw, 5, np.uint8)
    levels[rows, columns] = level
    return levels


def slide(part, name, value):
    part.page.locator(f"[data-slider={name}]").fill(str(value))


def caption(part):
    part.page.wait_for_timeout(60)
    return part.page.locator(".board-caption strong").text_content()


@pytest.fixture
def found(board, answer):
    """A board on one picture with a square in it."""
    part = board()
    part.give(answers=[answer("one", coin=square())])
    part.page.wait_for_selector(".thumb[data-state=found]")
    return part


def test_count_is_that_of_connected_pieces_at_every_threshold(board, answer):
    levels = blobs(0)
    part = board()
    part.give(answers=[answer("one", coin=levels)])
    part.page.wait_for_selector(".thumb[data-state=found]")
    for step in (35, 50, 62, 70):
        slide(part, "threshold", step)
        assert caption(part) == f"{ndimage.label(levels >= step)[1]} found"


def test_small_pieces_are_left_out_by_their_size_in_the_original(board, answer, make_picture):
    levels = np.zeros((60, 100), np.uint8)
    levels[10:13, 10:13] = 90  # 6 x 6 pixels of the original
    levels[30:40, 50:60] = 90  # 20 x 20
    part = board(make_picture("one"))
    part.give(answers=[answer("one", coin=levels)])
    part.page.wait_for_selector(".thumb[data-state=found]")
    assert caption(part) == "2 found"
    slide(part, "smallest", 22)
    assert caption(part) == "1 found"
    assert part.value["min_area"] == 10**2
    slide(part, "smallest", 35)
    assert caption(part) == "0 found"


def test_specks_are_drawn_but_not_counted(board, answer):
    levels = square()
    levels[10:13, 10:13] = 90
    said = answer("one", coin=levels)
    said["classes"][0]["speck"] = 20
    part = board()
    plain = part.shade(11.5, 11.5)
    part.give(answers=[said])
    part.page.wait_for_selector(".thumb[data-state=found]")
    assert caption(part) == "1 found"
    assert part.shade(11.5, 11.5) != plain


def test_what_is_drawn_is_what_was_found(found):
    outside = found.shade(30, 30)
    assert outside[:3] == [110, 110, 110]
    inside = found.shade_other_than(outside, 80, 60)
    assert inside[2] > inside[0] + 30  # sky blue over grey
    slide(found, "opacity", 0)
    assert found.shade(80, 60)[:3] == [110, 110, 110]
    slide(found, "threshold", 95)
    assert caption(found) == "0 found"


def test_sliders_ask_nobody(found):
    for value in (55, 60, 65):
        slide(found, "threshold", value)
    assert found.value["threshold"] == 0.65
    found.page.wait_for_timeout(400)  # longer than a hand rests before it is told
    assert found.page.evaluate("events.length") == 0


def test_what_makes_a_result_doubtful_stands_below_its_count(found, answer):
    found.give(answers=[answer("one", coin=square()) | {"note": "Its numbers are others."}])
    said = found.page.locator(".board-caption").text_content()
    assert said == "1 found, look twice one.png Its numbers are others."


def test_what_is_fixed_has_no_threshold_to_move(found, answer):
    threshold = found.page.locator("[data-slider=threshold]")
    opened = answer("one", coin=square()) | {"fixed": True}
    found.give(answers=[opened])
    assert threshold.is_disabled()
    assert threshold.get_attribute("aria-valuetext") == "as saved"
    found.give(answers=[])  # out of date
    assert threshold.is_enabled()
    assert threshold.get_attribute("aria-valuetext") == "50%"


def test_the_most_probable_class_has_a_pixel(board, answer):
    left, right = square(level=90), square(columns=slice(80, 120), level=95)
    part = board()
    part.give(answers=[answer("one", coin=left, button=right)])
    part.page.wait_for_selector(".thumb[data-state=found]")
    assert caption(part) == "1 \u00d7 coin, 1 \u00d7 button"
    coin, both, button = (part.shade(x, 60) for x in (70, 90, 110))
    assert both == button != coin


def test_absent_failed_and_old_answers_are_said(board, answer, make_picture):
    part = board(*(make_picture(name) for name in ("one", "two", "three")))
    failed = {"id": "three", "state": "failed", "note": "The file is damaged.", "classes": []}
    part.give(answers=[answer("one", coin=square()), answer("two", coin=None), failed])
    part.page.wait_for_selector(".thumb[data-state=found]")
    states = part.page.locator(".thumb").evaluate_all("all => all.map((t) => t.dataset.state)")
    assert states == ["found", "absent", "failed"]
    assert part.page.locator(".badge").all_text_contents() == ["1", "none", "!"]
    bright = part.shade(80, 60)
    part.give(answers=[])
    assert "out of date" in part.page.locator(".board-caption").text_content()
    assert part.shade(80, 60) != bright
    part.give(answers=[{"id": "one", "state": "searching", "note": "", "classes": []}])
    assert caption(part) == "Looking…"


def test_a_click_says_what_is_wrong_and_what_is_missing(found):
    found.click(80.5, 60.25)
    (wrong,) = found.events("correct")
    point = {"type": "point", "xy": pytest.approx([80.5, 60.25], abs=0.02), "positive": False}
    assert wrong["corrections"] == {"one": {"coin": [point]}}
    assert wrong["about"] == "one"
    found.click(20, 20)
    _, missing = found.events("correct", 2)
    assert [mark["positive"] for mark in missing["corrections"]["one"]["coin"]] == [False, True]
    found.page.locator(".stage > canvas").focus()
    found.page.keyboard.press("Control+z")
    *_, undone = found.events("correct", 3)
    assert undone["corrections"]["one"]["coin"] == [point]
    found.page.click("[data-do=clear]")
    *_, cleared = found.events("correct", 4)
    assert cleared["corrections"] == {}
    assert "No corrections" in found.page.locator(".board-corrections").text_content()
    found.page.click("[data-do=undo]")
    *_, back = found.events("correct", 5)
    assert back["corrections"] == undone["corrections"]


def tell_classes(part, *classes):
    told = [{"id": number, "name": name, "colour": "#e69f00"} for number, name in classes]
    part.page.evaluate(
        """(classes) => document.dispatchEvent(
          new CustomEvent('vrpsam-classes', { detail: { classes, current: classes[0].name } }))""",
        told,
    )


def test_corrections_follow_their_class(found):
    tell_classes(found, (1, "coin"))
    found.click(20, 20)
    found.events("correct")
    marks = found.value["corrections"]["one"]["coin"]
    tell_classes(found, (1, "disc"))
    assert found.value["corrections"] == {"one": {"disc": marks}}
    found.click(80, 60)
    *_, wrong = found.events("correct", 2)
    assert [mark["positive"] for mark in wrong["corrections"]["one"]["disc"]] == [True, False]
    found.page.click("[data-do=undo]")
    assert found.value["corrections"] == {"one": {"disc": marks}}
    for others in [(2, "other")], [(2, "other"), (3, "disc")]:
        tell_classes(found, *others)
        assert found.value["corrections"] == {}
        assert "not searched yet" in found.page.locator(".board-caption").text_content()
        assert found.page.locator(".board-corrections").is_hidden()
    tell_classes(found, (2, "other"), (1, "disc"))
    assert found.value["corrections"] == {"one": {"disc": marks}}
    assert caption(found) == "1 found"


def test_nothing_is_looked_at_after_a_search_ended_early(found, make_picture):
    searching = {"state": "searching", "note": "", "classes": []}
    found.give(
        pictures=[make_picture("one"), make_picture("two")],
        answers=[{"id": "one", **searching}, {"id": "two", **searching}],
    )
    states = "[...document.querySelectorAll('.thumb')].map((t) => t.dataset.state)"
    assert found.page.evaluate(states) == ["searching", "searching"]
    found.give(answers=[])
    assert found.page.evaluate(states) == ["found", "waiting"]
    assert "out of date" in found.page.locator(".board-caption").text_content()
    found.click(20, 20)
    found.events("correct")


def test_a_result_is_corrected_without_a_mouse(found):
    found.page.locator(".stage > canvas").focus()
    plain = found.shade(100, 60)
    found.page.keyboard.press("Enter")
    assert found.shade(100, 60) != plain
    for key in ("Enter", "ArrowLeft", "Enter", "Shift+ArrowDown", "Shift+Enter"):
        found.page.keyboard.press(key)
    found.page.wait_for_function("props.value.corrections.one.coin.length === 3")
    marks = found.value["corrections"]["one"]["coin"]
    assert marks == [
        {"type": "point", "xy": [100, 60], "positive": True},
        {"type": "point", "xy": [97, 60], "positive": False},
        {"type": "point", "xy": [97, 61], "positive": False},
    ]
    found.events("correct")
    found.page.keyboard.press("v")
    for big in (True, False):
        found.page.keyboard.press("Escape")  # the cursor goes first
        assert found.page.evaluate("!!document.querySelector('.board.big')") == big


def test_a_drag_is_one_box_and_a_new_one_replaces_it(found):
    found.drag((20, 20), (40, 50))
    found.events("correct")
    found.drag((120.5, 30), (160, 70.25))
    (box,) = found.events("correct", 2)[-1]["corrections"]["one"]["coin"]
    assert box["xyxy"] == pytest.approx([120.5, 30, 160, 70.25], abs=0.02)
    assert box["positive"]
    found.drag((20, 20), (40, 50), button="right")
    (box,) = found.events("correct", 3)[-1]["corrections"]["one"]["coin"]
    assert not box["positive"]


def test_nothing_is_corrected_before_there_is_a_result(board):
    part = board()
    part.click(50, 50)
    part.page.wait_for_timeout(250)
    assert part.value["corrections"] == {}


def test_decisions_by_doubt_and_by_keyboard(board, answer, make_picture):
    part = board(*(make_picture(name) for name in ("sure", "unsure", "empty")))
    part.give(
        answers=[
            answer("sure", 0.9, coin=square()),
            answer("unsure", 0.3, coin=square()),
            answer("empty", coin=None),
        ]
    )
    part.page.wait_for_selector(".thumb[data-doubtful=true]")
    part.page.locator(".board-sort input").check()
    names = part.page.locator(".thumb-name")
    assert names.all_text_contents() == ["unsure.png", "sure.png", "empty.png"]
    names.first.click()
    part.page.locator(".stage > canvas").focus()
    part.page.keyboard.press("r")
    assert (part.value["shown"], part.value["decisions"]) == ("sure", {"unsure": "reject"})
    part.page.keyboard.press("a")
    assert part.value["decisions"] == {"unsure": "reject", "sure": "accept"}
    assert part.value["shown"] == "empty"
    part.page.keyboard.press("ArrowLeft")
    part.page.keyboard.press("a")  # the same again takes it back
    assert "sure" not in part.value["decisions"]
    assert "1 decided" in part.page.locator(".board-totals").text_content()


def test_an_accepted_result_is_accepted_while_it_is_the_same(found, answer):
    accept = found.page.locator("[data-verdict=accept]")
    accept.click()
    assert found.value["decisions"] == {"one": "accept"}
    found.give(answers=[])
    found.give(answers=[answer("one", 0.7, coin=square(level=80))])
    found.page.wait_for_timeout(100)
    assert found.value["decisions"] == {"one": "accept"}
    found.give(answers=[answer("one", coin=square(rows=slice(40, 81)))])
    found.page.wait_for_function("!props.value.decisions.one")
    assert "was accepted, look again" in found.page.locator(".board-caption").text_content()
    assert found.page.locator(".sign").text_content() == "?"
    accept.click()
    assert found.value["decisions"] == {"one": "accept"}
    assert "look again" not in found.page.locator(".board-caption").text_content()
    accept.click()
    found.give(answers=[])
    assert accept.is_disabled()


def test_a_project_takes_the_place_of_what_was_there(found, answer):
    found.page.click("[data-verdict=accept]")
    found.click(20, 20)
    found.events("correct")
    given = {"serial": "project", "decisions": {"one": "accept"}, "corrections": {}}
    found.give(given=given, answers=[answer("one", coin=square(rows=slice(10, 20)))])
    found.page.wait_for_timeout(100)
    assert found.value["decisions"] == {"one": "accept"}
    assert found.page.locator(".board-corrections").is_hidden()


def test_picture_alone_while_held_and_large_view(found):
    found.page.evaluate("document.body.prepend(document.createElement('button'))")
    behind = "document.querySelector('body > button').inert"
    drawn = found.shade(80, 60)
    found.page.locator(".board-compare").hover()
    found.page.mouse.down()
    assert found.shade(80, 60)[:3] == [110, 110, 110]
    found.page.mouse.up()
    assert found.shade(80, 60) == drawn
    small = found.page.locator(".stage").bounding_box()
    found.page.locator(".stage > canvas").focus()
    found.page.keyboard.press("v")
    found.page.wait_for_timeout(60)
    assert found.page.locator(".stage").bounding_box()["height"] > small["height"] + 100
    assert found.page.evaluate(behind)
    found.page.keyboard.press("Escape")
    found.page.wait_for_timeout(60)
    assert found.page.locator(".stage").bounding_box() == small
    assert not found.page.evaluate(behind)


def test_pictures_are_picked_removed_and_reused(board, answer, make_picture):
    part = board(make_picture("one"), make_picture("two"))
    part.give(answers=[answer("two", coin=square())])
    part.page.wait_for_selector(".thumb[data-state=found]")
    part.page.locator(".thumb").nth(1).click()
    (picked,) = part.events("pick")
    assert picked["shown"] == "two"
    part.page.click("[data-do=reuse]")
    (reused,) = part.events("reuse")
    assert reused["about"] == "two"
    part.page.locator(".thumb").first.hover()
    part.page.locator(".thumb button").first.click()
    (removed,) = part.events("remove")
    assert removed["about"] == "one"
    part.give(pictures=[make_picture("two"), make_picture("three")])
    assert part.page.locator(".thumb").count() == 2
    part.page.locator(".thumb").first.focus()
    part.page.keyboard.press("Delete")
    assert part.events("remove", 2)[-1]["about"] == "two"
    part.give(pictures=[make_picture("three")])
    focused = part.page.locator(".thumb:focus .thumb-name")
    assert focused.all_text_contents() == ["three.png"]
    part.give(pictures=[], answers=[])
    assert part.page.locator(".board-empty").is_visible()
    assert part.value["shown"] is None


def test_a_project_brings_its_decisions_and_settings(found):
    box = {"type": "box", "xyxy": [1, 2, 30, 40], "positive": True}
    given = {
        "threshold": 0.3,
        "min_area": 25,
        "decisions": {"one": "fix"},
        "corrections": {"one": {"coin": [box]}},
    }
    found.give(given={"serial": "project", **given})
    assert {key: found.value[key] for key in given} == given
    assert found.page.locator("[data-verdict=fix]").get_attribute("aria-pressed") == "true"
    assert found.page.locator(".board-corrections").is_visible()


def test_a_finger_that_scrolls_corrects_nothing(board, answer):
    part = board(viewport={"width": 390, "height": 760}, has_touch=True, is_mobile=True)
    part.give(answers=[answer("one", coin=square())])
    part.page.wait_for_selector(".thumb[data-state=found]")
    devtools = part.page.context.new_cdp_session(part.page)
    for kind, place in (("touchStart", (60, 60)), ("touchMove", (120, 60)), ("touchEnd", None)):
        points = [] if place is None else [dict(zip("xy", part.at(*place), strict=True))]
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    part.page.touchscreen.tap(*part.at(80, 60))
    (tapped,) = part.events("correct")
    (mark,) = tapped["corrections"]["one"]["coin"]
    assert (mark["type"], mark["positive"]) == ("point", False)
