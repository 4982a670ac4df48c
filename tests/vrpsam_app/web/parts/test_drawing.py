"""What a hand draws on the canvas is what is sent, in pixels of the original."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from vrpsam_app.annotations import annotations_from_json
from vrpsam_app.image_files import encode_png

BOX = {"type": "box", "xyxy": [40, 50, 60, 70], "positive": True}


def near(numbers):
    return pytest.approx(numbers, abs=0.02)


def test_each_kind_of_mark_is_exact(canvas):
    part = canvas()
    part.tool("point")
    part.click(50.25, 60.5)
    part.click(150, 20, button="right")
    part.tool("box")
    part.drag((70, 80), (40, 50), (30.5, 45))
    part.tool("scribble")
    part.page.locator(".marker-width input").fill("6")
    part.drag((10, 100), (60, 100), (60, 110))
    point, not_this, box, stroke = part.marks(4)
    assert point == {"type": "point", "xy": near([50.25, 60.5]), "positive": True}
    assert not_this == {"type": "point", "xy": near([150, 20]), "positive": False}
    assert box == {"type": "box", "xyxy": near([30.5, 45, 70, 80]), "positive": True}
    assert (stroke["type"], stroke["width"], stroke["positive"]) == ("scribble", 6, True)
    np.testing.assert_allclose(stroke["xy"], [[10, 100], [60, 100], [60, 110]], atol=0.02)
    assert len(annotations_from_json(part.marks(4), (120, 200))) == 4


@pytest.mark.parametrize("ratio", [1, 2])
def test_marks_are_exact_when_zoomed_and_moved(canvas, ratio):
    part = canvas(device_scale_factor=ratio)
    for _ in range(4):
        part.page.click("[data-do=closer]")
    part.zoom = 1.5**4
    part.page.locator(".stage > canvas").focus()
    part.page.keyboard.down("Space")
    part.drag((100, 60), (110, 55))
    part.page.keyboard.up("Space")
    before = part.at(100, 60)
    part.moved = tuple(b - a for a, b in zip(before, part.at(110, 55), strict=True))
    part.tool("point")
    part.click(95.5, 60.25)
    part.tool("box")
    part.drag((80, 57), (100, 72.5))
    point, box = part.marks(2)
    assert point["xy"] == near([95.5, 60.25])
    assert box["xyxy"] == near([80, 57, 100, 72.5])


def test_the_wheel_zooms_where_the_mouse_is(canvas):
    part = canvas()
    part.tool("point")
    place = [round(value) for value in part.at(50, 60)]  # a wheel reports whole pixels
    part.page.mouse.click(*place)
    part.page.mouse.wheel(0, -400)
    part.page.wait_for_function("!document.querySelector('[data-do=fit]').disabled")
    part.page.mouse.click(*place)
    first, second = part.marks(2)
    assert second["xy"] == near(first["xy"])
    part.page.mouse.click(place[0] + 30, place[1])
    *_, third = part.marks(3)
    scale = (part.at(1, 0)[0] - part.at(0, 0)[0]) * 1.5
    assert 0 < third["xy"][0] - first["xy"][0] < 30 / scale


def test_fingers_mark_and_pinch(canvas):
    part = canvas(viewport={"width": 390, "height": 760}, has_touch=True, is_mobile=True)
    part.tool("point")
    x, y = part.at(50, 60)
    part.page.touchscreen.tap(x, y)
    (point,) = part.marks(1)
    assert point["xy"] == pytest.approx([50, 60], abs=0.35)  # fingers come in whole pixels
    devtools = part.page.context.new_cdp_session(part.page)

    def touch(kind, *fingers):
        points = [{"x": fx, "y": fy, "id": number} for number, (fx, fy) in enumerate(fingers)]
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    middle_x, middle_y = part.at(100, 60)
    touch("touchStart", (middle_x - 20, middle_y))
    touch("touchStart", (middle_x - 20, middle_y), (middle_x + 20, middle_y))
    touch("touchMove", (middle_x - 60, middle_y), (middle_x + 60, middle_y))
    touch("touchEnd")
    part.page.wait_for_function("!document.querySelector('[data-do=fit]').disabled")
    part.page.wait_for_timeout(250)
    assert part.marks(1) == [point]


def test_painted_area_has_the_pixels_that_were_painted(canvas):
    part = canvas()
    part.tool("brush")
    part.page.locator(".marker-width input").fill("20")
    part.drag((40, 60), (120, 60))
    (mask,) = part.marks(1)
    (painted,) = annotations_from_json([mask], (120, 200))
    rows, columns = np.indices((120, 200)) + 0.5
    along = np.clip(columns, 40, 120)
    brush = np.hypot(columns - along, rows - 60)
    assert painted.mask[brush < 9.4].all()
    assert not painted.mask[brush > 10.6].any()
    part.tool("eraser")
    part.drag((40, 60), (80, 60))
    part.page.wait_for_function(
        "(old) => props.value.references[0].marks[0].png !== old", arg=mask["png"]
    )
    (left,) = annotations_from_json(part.marks(1), (120, 200))
    along = np.clip(columns, 40, 80)
    rubbed = np.hypot(columns - along, rows - 60)
    assert not left.mask[rubbed < 9.4].any()
    assert left.mask[(rubbed > 10.6) & (brush < 9.4)].all()
    part.page.click("[data-do=undo]")
    part.page.wait_for_function(
        "(old) => props.value.references[0].marks[0].png === old", arg=mask["png"]
    )
    part.page.click("[data-do=redo]")
    part.drag((70, 60), (130, 60))
    assert part.marks(0) == []


def test_painting_on_a_picture_that_is_sent_smaller(canvas, make_picture):
    big = make_picture("big") | {"width": 4000, "height": 2400}
    part = canvas([big])
    part.size = (4000, 2400)
    part.tool("brush")
    part.page.locator(".marker-width input").fill("400")
    part.drag((800, 1200), (2400, 1200))
    (painted,) = annotations_from_json(part.marks(1), (2400, 4000))
    rows, columns = (np.indices((2400, 4000)) + 0.5)[:, ::4, ::4]
    distance = np.hypot(columns - np.clip(columns, 800, 2400), rows - 1200)
    assert painted.mask[::4, ::4][distance < 195].all()
    assert not painted.mask[::4, ::4][distance > 205].any()


def test_the_eraser_takes_marks_that_it_touches(canvas, make_reference):
    part = canvas(references=[make_reference("one", BOX)])
    part.tool("point")
    part.click(150, 60)
    part.marks(2)
    part.tool("eraser")
    part.drag((20, 20), (25, 25))
    part.page.wait_for_timeout(250)
    part.marks(2)
    part.drag((40, 40), (42, 62))
    (point,) = part.marks(1)
    assert point["type"] == "point"


def test_the_eraser_rubs_areas_that_are_kept_on_the_server(canvas, make_reference):
    area = np.zeros((60, 100), np.bool_)  # half as large as the picture
    area[10:40, 20:80] = True
    png = "data:image/png;base64," + base64.b64encode(encode_png(area)).decode()
    kept = {"type": "kept", "key": "k", "name": "found", "positive": True, "png": png}
    part = canvas(references=[make_reference("one", kept)])
    (mark,) = part.marks(1)
    assert mark == {"type": "kept", "key": "k", "positive": True}
    part.tool("eraser")
    part.page.locator(".marker-width input").fill("20")
    part.drag((5, 5), (10, 5))
    part.page.wait_for_timeout(250)
    assert part.marks(1) == [mark]
    part.drag((40, 50), (80, 50))
    part.page.wait_for_function("props.value.references[0].marks[0].type === 'mask'")
    (left,) = annotations_from_json(part.marks(1), (120, 200))
    rows, columns = np.indices((120, 200)) + 0.5
    rubbed = np.hypot(columns - np.clip(columns, 40, 80), rows - 50)
    whole = area.repeat(2, 0).repeat(2, 1)
    assert not left.mask[rubbed < 9.4].any()
    np.testing.assert_array_equal(left.mask[rubbed > 10.6], whole[rubbed > 10.6])
    part.page.click("[data-do=undo]")
    part.page.wait_for_function("props.value.references[0].marks[0].type === 'kept'")


def test_every_step_can_be_taken_back(canvas):
    part = canvas()
    chips, keys = part.page.locator(".mark-list span"), part.page.keyboard
    part.tool("point")
    for x in (50, 90):
        part.click(x, 60)
    assert chips.all_text_contents() == ["Point at 50, 60", "Point at 90, 60"]
    keys.press("Control+z")
    assert chips.count() == 1
    keys.press("Control+Shift+z")
    assert chips.count() == 2
    part.page.click("[data-do=clear]")
    part.marks(0)
    part.page.click("[data-do=undo]")
    part.marks(2)
    part.page.locator(".mark-list button").first.click()
    assert chips.all_text_contents() == ["Point at 90, 60"]
    part.page.locator(".stage > canvas").focus()
    keys.press("Delete")
    part.marks(0)


def test_escape_and_slips_leave_no_mark(canvas):
    part = canvas()
    part.page.mouse.move(*part.at(20, 20))
    part.page.mouse.down()
    part.page.mouse.move(*part.at(80, 80))
    part.page.keyboard.press("Escape")
    part.page.mouse.up()
    part.click(20, 20)
    assert "two corners" in part.page.locator(".marker-hint").text_content()
    part.click(-20, 60)  # beside the picture
    part.page.wait_for_timeout(250)
    assert part.marks(0) == []
    assert part.page.evaluate("events.length") == 0


def test_keyboard_alone_can_mark(canvas):
    part = canvas()
    part.page.locator(".stage > canvas").focus()
    for key in ("n", "b", "Enter", "ArrowRight", "ArrowDown", "Enter", "p", "n", "Enter"):
        part.page.keyboard.press(key)
    box, point = part.marks(2)
    assert box == {"type": "box", "positive": False, "xyxy": [100, 60, 103, 63]}
    assert point == {"type": "point", "positive": True, "xy": [103, 63]}
    part.page.keyboard.press("?")
    assert part.page.locator(".keys").is_visible()
    part.page.keyboard.press("Escape")
    assert part.page.locator(".keys").is_hidden()


def test_quick_marks_are_one_stroke(canvas):
    part = canvas()
    part.tool("point")
    part.page.clock.install(time=0)
    part.page.clock.pause_at(1000)  # however slow the machine is, they are quick
    part.click(50, 60)
    part.click(90, 60)
    part.page.clock.run_for(1000)
    (stroke,) = part.events("stroke")
    assert len(stroke["references"][0]["marks"]) == 2
