"""Several classes, several pictures, and what Python gives to the canvas."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from vrpsam_app.image_files import encode_png

BOX = {"type": "box", "xyxy": [40, 50, 60, 70], "positive": True}


@pytest.fixture
def two(make_picture):
    return [make_picture("one"), make_picture("two")]


def labels(part):
    return [(r["image"], r["label"], len(r["marks"])) for r in part.value["references"]]


def names(part):
    inputs = part.page.locator(".class-chip input")
    return [inputs.nth(i).input_value() for i in range(inputs.count())]


def test_two_kinds_are_two_references(canvas, make_reference):
    part = canvas(references=[make_reference("one", BOX, label="coin")])
    part.page.click(".class-add")
    part.page.keyboard.type("button")
    part.page.keyboard.press("Enter")
    part.tool("point")
    part.click(150, 60)
    part.events("stroke", 1)
    assert labels(part) == [("one", "coin", 1), ("one", "button", 1)]
    first, second = part.page.evaluate(
        "[...document.querySelectorAll('.class-chip')].map((c) => c.getAttribute('style'))"
    )
    assert first != second
    part.page.locator(".class-dot").first.click()
    part.click(20, 20)
    part.page.wait_for_function("props.value.references[0].marks.length === 2")
    part.page.locator(".class-chip").nth(1).locator("button").last.click()
    part.page.wait_for_function("props.value.references.length === 1")
    assert names(part) == ["coin"]
    part.page.click("[data-do=undo]")
    assert names(part) == ["coin", "button"]


def test_a_class_is_renamed_but_never_to_the_name_of_another(canvas, make_reference):
    part = canvas(
        references=[make_reference("one", BOX, label="a"), make_reference("one", BOX, label="b")]
    )
    name = part.page.locator(".class-chip input").first
    name.fill("coin")
    name.press("Enter")
    part.page.wait_for_function("props.value.references[0].label === 'coin'")
    name = part.page.locator(".class-chip input").first
    name.fill("b")
    name.press("Enter")
    assert names(part) == ["coin", "b"]


def test_everything_marked_belongs_to_a_picture_and_a_class(canvas, make_reference, two):
    part = canvas(two, [make_reference("one", BOX), make_reference("two", BOX)])
    box = part.page.locator(".marker-exhaustive input")
    part.page.locator(".reference-open").first.click()
    box.check()
    part.page.wait_for_function("props.value.references[0].exhaustive")
    assert [r["exhaustive"] for r in part.value["references"]] == [True, False]
    part.page.locator(".reference-open").nth(1).click()
    assert not box.is_checked()


def test_nothing_can_be_exhaustive_without_a_mark(canvas):
    part = canvas()
    assert part.page.locator(".marker-exhaustive input").is_disabled()


def test_marks_stay_with_their_pictures(canvas, two):
    part = canvas(two)
    part.tool("point")
    part.page.locator(".reference-open").first.click()
    part.click(50, 60)
    part.page.locator(".reference-open").nth(1).click()
    part.page.click("[data-positive=false]")
    part.click(90, 30)
    part.page.wait_for_function("props.value.references.length === 2")
    assert labels(part) == [("one", "object", 1), ("two", "object", 1)]
    notes = part.page.locator(".reference-note").all_text_contents()
    assert notes == ["object", "not object"]
    part.page.click("[data-do=undo]")
    part.page.locator(".reference-open").nth(1).click()
    part.page.click("[data-do=undo]")
    assert part.value["shown"] == "one"  # where that step was made


def test_pictures_come_and_go(canvas, make_picture, make_reference, two):
    part = canvas(two, [make_reference("one", BOX), make_reference("two", BOX)])
    part.page.locator(".reference").nth(1).hover()
    part.page.locator(".reference").nth(1).locator("button").last.click()
    (gone,) = part.events("remove_reference")
    assert gone["about"] == "two"
    part.give(pictures=two[:1])
    assert labels(part) == [("one", "object", 1)]
    part.give(pictures=[two[0], make_picture("three")])
    assert part.value["shown"] == "three"
    assert labels(part) == [("one", "object", 1)]


def test_a_step_back_brings_the_pictures_of_before_with_their_marks(canvas, make_picture):
    part = canvas()
    part.tool("point")
    part.click(50, 60)
    part.marks(1)
    before = part.page.evaluate("props.pictures")
    part.give(pictures=[make_picture("other")])
    part.page.wait_for_function("props.value.references.length === 0")
    undo = part.page.locator("[data-do=undo]")
    part.click(20, 20)
    undo.click()
    part.page.wait_for_function("props.value.references.length === 0")
    undo.click()
    part.events("bring_back")
    part.give(pictures=before)
    assert part.marks(1)[0]["xy"] == [50, 60]
    undo.click()
    part.page.wait_for_function("props.value.references.length === 0")
    assert undo.is_disabled()


def test_marks_go_with_their_picture_and_that_is_another_question(canvas, make_reference, two):
    part = canvas(two, [make_reference("one", BOX)])
    part.tool("point")
    for name in (0, 1, 0):
        part.page.locator(".reference-open").nth(name).click()
        part.click(150, 60)
    part.page.wait_for_function("props.value.references.length === 2")
    before = len(part.events("stroke"))
    part.give(pictures=two[:1])
    stroke = part.events("stroke", before + 1)[-1]
    assert [r["image"] for r in stroke["references"]] == ["one"]
    for count in (2, 1):
        part.page.click("[data-do=undo]")
        part.marks(count)
    assert part.page.locator("[data-do=undo]").is_disabled()
    part.page.click("[data-do=redo]")
    part.marks(2)


def test_a_class_is_the_same_whatever_it_is_called(canvas, make_reference):
    part = canvas(references=[make_reference("one", BOX, label="coin")])
    part.page.evaluate(
        """() => {
          window.told = [];
          document.addEventListener('vrpsam-classes', ({ detail }) => {
            window.told = detail.classes.map(({ id, name }) => [id, name]);
          });
        }"""
    )
    part.page.click(".class-add")
    [first, _], [second, _] = part.page.evaluate("told")
    name = part.page.locator(".class-chip input").first
    name.fill("disc")
    name.press("Enter")
    assert part.page.evaluate("told") == [[first, "disc"], [second, "object 2"]]
    part.page.locator(".class-chip").nth(1).locator("button").last.click()
    part.page.click(".class-add")
    _, [third, again] = part.page.evaluate("told")
    assert (third > second, again) == (True, "object 2")
    for _ in range(3):
        part.page.click("[data-do=undo]")
    assert part.page.evaluate("told") == [[first, "coin"], [second, "object 2"]]


def test_what_python_gives_is_one_step(canvas, make_reference):
    part = canvas(references=[make_reference("one", BOX)])
    mask = np.zeros((120, 200), np.bool_)
    mask[10:40, 20:90] = True
    png = base64.b64encode(encode_png(mask)).decode()
    given = {
        "serial": "mask",
        "replace": False,
        "shown": "one",
        "references": [
            make_reference("one", {"type": "mask", "png": png, "positive": True}),
            make_reference(
                "one",
                {"type": "kept", "key": "k", "name": "From a library", "positive": True}
                | {"png": "data:image/png;base64," + png},
                label="nucleus",
            ),
        ],
    }
    part.give(given=given)
    part.page.wait_for_function("props.value.references.length === 2")
    first, second = part.value["references"]
    assert first["marks"][1] == {"type": "mask", "png": png, "positive": True}
    assert second["marks"] == [{"type": "kept", "key": "k", "positive": True}]
    assert "From a library" in part.page.locator(".mark-list").text_content()
    assert part.shade(50, 20) != part.shade(150, 20)
    part.give(given=given)  # the same serial says nothing new
    part.page.click("[data-do=undo]")
    part.page.wait_for_function("props.value.references.length === 1")
    assert labels(part) == [("one", "object", 1)]


def test_python_can_replace_everything(canvas, make_reference, two):
    part = canvas(two, [make_reference("one", BOX, label="coin")])
    part.give(
        given={
            "serial": "project",
            "replace": True,
            "shown": "two",
            "references": [make_reference("two", BOX, label="cell", exhaustive=True)],
        }
    )
    part.page.wait_for_function("props.value.references[0].label === 'cell'")
    assert labels(part) == [("two", "cell", 1)]
    assert part.value["shown"] == "two"
    assert part.value["references"][0]["exhaustive"]
    assert part.page.locator("[data-do=undo]").is_disabled()


def test_menu_presses_buttons_of_the_page(canvas):
    part = canvas()
    part.page.evaluate(
        """() => {
          props.presses = { mask: '#outside' };
          const button = document.createElement('button');
          button.id = 'outside';
          button.onclick = () => { window.pressed = true; };
          document.body.append(button);
        }"""
    )
    part.page.click(".menu summary")
    part.page.click("[data-press=mask]")
    assert part.page.evaluate("window.pressed")
    assert part.page.locator(".menu > div").is_hidden()
