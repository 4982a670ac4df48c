"""The page in a real browser: what a person does, and what then leaves the browser."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

REFERENCE_INPUT = "input:has(+ #choose-reference)"
TARGETS_INPUT = "input:has(+ #add-targets)"


@dataclass
class Visit:
    """One visitor's page, with all that it asked and all that went wrong."""

    page: Page
    foreign: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    sent: list[list[dict[str, Any]]] = field(default_factory=list)

    def status(self, words: str) -> None:
        expect(self.page.locator("#status")).to_contain_text(words, timeout=15_000)

    def choose_reference(self, path: object) -> None:
        self.page.set_input_files(REFERENCE_INPUT, str(path))
        self.status("Mark one object")
        expect(self.page.locator(".mark-list li")).to_have_count(0)

    def add_targets(self, *paths: object) -> None:
        """Look in these, and no longer in the reference itself."""
        self.page.set_input_files(TARGETS_INPUT, [str(path) for path in paths])
        expect(self.page.locator(".thumb")).to_have_count(len(paths) + 1)
        self.page.locator(".thumb button").first.click()
        expect(self.page.locator(".thumb")).to_have_count(len(paths))

    def tool(self, name: str) -> None:
        self.page.click(f"[data-tool={name}]")

    def at(self, x: float, y: float, size: tuple[int, int]) -> tuple[float, float]:
        """Return where a point of a picture of (width, height) lies in the window."""
        box = self.page.locator("#canvas canvas").bounding_box()
        return box["x"] + x * box["width"] / size[0], box["y"] + y * box["height"] / size[1]

    def drag(self, points: list[tuple[float, float]], size: tuple[int, int], **how: Any) -> None:
        mouse = self.page.mouse
        mouse.move(*self.at(*points[0], size))
        mouse.down(**how)
        for point in points[1:]:
            mouse.move(*self.at(*point, size))
        mouse.up(**how)

    def marks(self, number: int) -> list[dict[str, Any]]:
        """Return what was sent after the given number of marks was on the canvas."""
        for _ in range(100):
            if self.sent and len(self.sent[-1]) == number:
                return self.sent[-1]
            self.page.wait_for_timeout(50)
        raise AssertionError(f"no {number} marks were sent, but {self.sent}")

    def large(self) -> np.ndarray:
        """Return the pixels of the large picture."""
        source = self.page.locator(".board-stage img").get_attribute("src")
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))))


def marks_in(post: str | None) -> list[dict[str, Any]] | None:
    """Return the marks in the body of a request, if there are any."""
    data = json.loads(post).get("data", []) if post and post.startswith("{") else []
    for value in data:
        if isinstance(value, dict) and "marks" in value:
            return value["marks"]
    return None


def visit(browser: Browser, url: str, **options: Any) -> Visit:
    context = browser.new_context(**({"viewport": {"width": 1280, "height": 860}} | options))
    page = context.new_page()
    visitor = Visit(page)

    def note(request: Any) -> None:
        if not request.url.startswith((url, "data:", "blob:")):
            visitor.foreign.append(request.url)
        if "queue/join" in request.url and (marks := marks_in(request.post_data)) is not None:
            visitor.sent.append(marks)

    page.on("request", note)
    page.on("pageerror", lambda error: visitor.errors.append(str(error)))
    page.goto(url)
    expect(page.locator(".mark-list li")).to_have_count(1)
    expect(page.locator(".thumb")).to_have_count(3)
    return visitor


@pytest.fixture
def visitor(browser: Browser, served: str) -> Iterator[Visit]:
    visitor = visit(browser, served)
    yield visitor
    visitor.page.context.close()
    assert visitor.foreign == []
    assert visitor.errors == []


def test_one_click_gives_results(visitor):
    plain = visitor.large()
    visitor.page.click("#find")
    visitor.status("Found in 2 of 3 pictures")
    expect(visitor.page.locator(".board-caption")).to_contain_text("Found")
    states = visitor.page.locator(".thumb").evaluate_all("all => all.map(t => t.dataset.state)")
    assert sorted(states) == ["absent", "found", "found"]
    assert np.abs(visitor.large().astype(int) - plain).max() > 40


def test_marks_are_in_pixels_of_the_picture(visitor, pictures):
    visitor.choose_reference(pictures["reference"])
    size = (200, 120)
    visitor.tool("point")
    visitor.page.mouse.click(*visitor.at(50.25, 60.5, size))
    visitor.page.mouse.click(*visitor.at(150, 20, size), button="right")
    visitor.tool("box")
    visitor.drag([(70, 80), (40, 50), (30.5, 45)], size)
    visitor.tool("scribble")
    visitor.page.locator(".marker-width input").fill("6")
    visitor.drag([(10, 100), (60, 100), (60, 110)], size)
    point, not_this, box, stroke = visitor.marks(4)
    assert (point["type"], point["positive"]) == ("point", True)
    assert point["xy"] == pytest.approx([50.25, 60.5], abs=0.02)
    assert (not_this["type"], not_this["positive"]) == ("point", False)
    assert not_this["xy"] == pytest.approx([150, 20], abs=0.02)
    assert box == {
        "type": "box",
        "positive": True,
        "xyxy": pytest.approx([30.5, 45, 70, 80], abs=0.02),
    }
    assert (stroke["type"], stroke["width"]) == ("scribble", 6)
    np.testing.assert_allclose(stroke["xy"], [[10, 100], [60, 100], [60, 110]], atol=0.02)


def test_live_result_follows_the_mark(visitor, pictures):
    visitor.choose_reference(pictures["reference"])
    visitor.add_targets(pictures["first"], pictures["second"])
    plain = visitor.large().astype(int)
    visitor.drag([(40, 50), (60, 70)], (200, 120))
    visitor.status("Press Find for the other one")
    change = np.abs(visitor.large() - plain).max(axis=-1)
    assert change[30, 40] > 40
    assert change[40, 160] < 12
    visitor.page.locator(".mark-list button").click()
    visitor.status("Mark one object")
    assert np.abs(visitor.large() - plain).max() == 0
    visitor.drag([(140, 50), (160, 70)], (200, 120))
    visitor.status("Press Find for the other one")
    change = np.abs(visitor.large() - plain).max(axis=-1)
    assert change[30, 40] < 12
    assert change[40, 160] > 40


def test_undo_redo_clear_escape_and_slips(visitor, pictures):
    visitor.choose_reference(pictures["reference"])
    size, chips, keys = (200, 120), visitor.page.locator(".mark-list span"), visitor.page.keyboard
    visitor.tool("point")
    for x in (50, 90):
        visitor.page.mouse.click(*visitor.at(x, 60, size))
    expect(chips).to_have_text(["Point at 50, 60", "Point at 90, 60"])
    keys.press("Control+z")
    expect(chips).to_have_count(1)
    keys.press("Control+Shift+z")
    expect(chips).to_have_count(2)
    visitor.page.click("[data-do=clear]")
    expect(chips).to_have_count(0)
    visitor.page.click("[data-do=undo]")
    expect(chips).to_have_count(2)
    visitor.tool("box")
    visitor.page.mouse.move(*visitor.at(20, 20, size))
    visitor.page.mouse.down()
    visitor.page.mouse.move(*visitor.at(80, 80, size))
    keys.press("Escape")
    visitor.page.mouse.up()
    visitor.page.mouse.click(*visitor.at(20, 20, size))
    expect(visitor.page.locator(".marker-hint")).to_contain_text("two corners")
    expect(chips).to_have_count(2)


def test_keyboard_alone_can_mark(visitor, pictures):
    visitor.choose_reference(pictures["reference"])
    visitor.page.locator("#canvas canvas").focus()
    for key in ("n", "b", "Enter", "ArrowRight", "ArrowDown", "Enter", "p", "n", "Enter"):
        visitor.page.keyboard.press(key)
    box, point = visitor.marks(2)
    assert box == {"type": "box", "positive": False, "xyxy": [100, 60, 103, 63]}
    assert point == {"type": "point", "positive": True, "xy": [103, 63]}


def test_zoomed_marks_are_exact(visitor, pictures):
    visitor.choose_reference(pictures["reference"])
    # A wheel reports whole pixels, so the middle of the zoom has to be one.
    place = [round(value) for value in visitor.at(50, 60, (200, 120))]
    box = visitor.page.locator("#canvas canvas").bounding_box()
    scale = 200 / box["width"]
    there = [(place[0] - box["x"]) * scale, (place[1] - box["y"]) * scale]
    visitor.page.mouse.move(*place)
    visitor.page.keyboard.down("Control")
    visitor.page.mouse.wheel(0, -300)
    visitor.page.keyboard.up("Control")
    expect(visitor.page.locator(".marker-zoom")).to_be_visible()
    visitor.tool("point")
    visitor.page.mouse.click(*place)
    visitor.page.mouse.click(place[0] + 33, place[1])
    first, second = visitor.marks(2)
    assert first["xy"] == pytest.approx(there, abs=0.02)
    assert 0 < second["xy"][0] - there[0] < 33 * scale / 2
    visitor.page.click(".marker-zoom")
    expect(visitor.page.locator(".marker-zoom")).to_be_hidden()


def test_photo_of_a_turned_camera(visitor, tmp_path):
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned right by a quarter
    stored = np.full((60, 90, 3), 110, np.uint8)
    stored[40:56, 5:21] = (210, 40, 40)
    Image.fromarray(stored).save(path, exif=exif, quality=95)
    visitor.choose_reference(path)
    visitor.drag([(5, 6), (19, 20)], (60, 90))
    (box,) = visitor.marks(1)
    assert box["xyxy"] == pytest.approx([5, 6, 19, 20], abs=0.02)
    visitor.status("up to date")
    assert visitor.large().shape == (90, 60, 3)
    expect(visitor.page.locator(".board-caption")).to_contain_text("5% of the picture")


def test_touch_on_a_narrow_screen(browser, served, pictures):
    narrow = {"width": 390, "height": 844}
    visitor = visit(browser, served, viewport=narrow, has_touch=True, is_mobile=True)
    page = visitor.page
    visitor.choose_reference(pictures["reference"])
    visitor.tool("point")
    page.locator("#canvas canvas").scroll_into_view_if_needed()
    page.touchscreen.tap(*visitor.at(50, 60, (200, 120)))
    (point,) = visitor.marks(1)
    assert point["xy"] == pytest.approx([50, 60], abs=0.5)
    page.locator("#find").tap()
    visitor.status("Found in 1 of 1 picture")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.context.close()
    assert (visitor.foreign, visitor.errors) == ([], [])


def test_two_visitors_never_see_each_other(browser, served, pictures):
    first, second = visit(browser, served), visit(browser, served)
    first.choose_reference(pictures["reference"])
    first.add_targets(pictures["first"], pictures["second"])
    first.drag([(40, 50), (60, 70)], (200, 120))
    first.status("Press Find for the other one")
    second.page.click("#find")
    second.status("Found in 2 of 3 pictures")
    expect(second.page.locator(".mark-list span")).to_have_text(["Box 43 x 44 px at 183, 103"])
    expect(second.page.locator(".thumb-name")).to_have_text(
        ["coins-lighter.png", "coins-in-the-grass.png", "grass.png"]
    )
    expect(first.page.locator(".thumb-name")).to_have_text(["first.png", "second.png"])
    for visitor in (first, second):
        visitor.page.context.close()
        assert (visitor.foreign, visitor.errors) == ([], [])


def test_bad_upload_is_a_sentence_and_the_page_goes_on(visitor, pictures, tmp_path):
    text = tmp_path / "notes.png"
    text.write_text("not a picture")
    toast = visitor.page.locator(".toast-body")
    visitor.page.set_input_files(REFERENCE_INPUT, str(text))
    expect(toast).to_contain_text("notes.png")
    expect(toast).not_to_contain_text("/notes.png")
    visitor.page.locator(".toast-close").click()
    visitor.page.set_input_files(TARGETS_INPUT, [str(text), str(pictures["first"])])
    expect(toast).to_contain_text("notes.png")
    expect(visitor.page.locator(".thumb-name")).to_have_text(["first.png"])
    visitor.page.click("#find")
    visitor.status("of 1 picture")


def test_find_without_marks_says_what_to_do(visitor):
    visitor.page.click("[data-do=clear]")
    visitor.status("Mark one object")
    visitor.page.click("#find")
    expect(visitor.page.locator(".toast-body")).to_contain_text("Mark one object")
    expect(visitor.page.locator("#find")).to_be_enabled()


def test_slider_moves_the_result(visitor, pictures):
    visitor.choose_reference(pictures["reference"])
    visitor.drag([(40, 50), (60, 70)], (200, 120))
    visitor.status("up to date")
    caption = visitor.page.locator(".board-caption")
    expect(caption).to_contain_text("3% of the picture")
    slider = visitor.page.locator("#threshold input[type=range]")
    slider.fill("0.2")
    expect(caption).to_contain_text("100% of the picture")
    slider.fill("0.5")
    expect(caption).to_contain_text("3% of the picture")


def test_results_can_be_saved(visitor, pictures):
    visitor.choose_reference(pictures["reference"])
    visitor.add_targets(pictures["first"], pictures["without"])
    visitor.drag([(40, 50), (60, 70)], (200, 120))
    visitor.status("Press Find for the other one")
    with visitor.page.expect_download() as single:
        visitor.page.click("#save-mask")
    mask = np.asarray(Image.open(single.value.path()))
    assert single.value.suggested_filename == "first_mask.png"
    np.testing.assert_array_equal(mask > 0, np.asarray(Image.open(pictures["first"]))[..., 0] > 180)
    assert set(np.unique(mask)) == {0, 255}
    with visitor.page.expect_download() as everything:
        visitor.page.click("#save-all")
    with zipfile.ZipFile(everything.value.path()) as bundle:
        assert "recipe.json" in bundle.namelist()
        assert bundle.read("first_mask.png") == single.value.path().read_bytes()
        assert not np.asarray(Image.open(io.BytesIO(bundle.read("without_mask.png")))).any()


def test_a_search_can_be_stopped(visitor, pictures, tmp_path):
    slow = []
    for number in range(4):
        slow.append(tmp_path / f"slow{number}.png")
        Image.new("RGB", (333, 60), (210, 40, number)).save(slow[-1])
    visitor.choose_reference(pictures["reference"])
    visitor.add_targets(*slow)
    visitor.drag([(40, 50), (60, 70)], (200, 120))
    visitor.status("Press Find to look in the other 3")
    visitor.page.click("#find")
    visitor.status("Looking at 2 of 4")
    visitor.page.click("#stop")
    visitor.status("Stopped")
    expect(visitor.page.locator("#find")).to_be_enabled()
    visitor.page.wait_for_timeout(1500)
    found = visitor.page.locator(".thumb[data-state=found]")
    assert found.count() < 4
    expect(visitor.page.locator(".thumb[data-state=searching]")).to_have_count(0)


def test_pictures_can_be_looked_at_compared_and_taken_out(visitor, pictures):
    visitor.choose_reference(pictures["reference"])
    visitor.add_targets(pictures["first"], pictures["second"])
    visitor.drag([(40, 50), (60, 70)], (200, 120))
    visitor.page.click("#find")
    visitor.status("Found in 2 of 2 pictures")
    visitor.page.locator(".thumb").nth(1).click()
    drawn = visitor.large()
    assert drawn.shape == (150, 160, 3)
    visitor.page.locator(".board-compare").hover()
    visitor.page.mouse.down()
    assert np.abs(visitor.large().astype(int) - drawn).max() > 40
    visitor.page.mouse.up()
    np.testing.assert_array_equal(visitor.large(), drawn)
    visitor.page.locator(".thumb").nth(1).locator("button").click()
    expect(visitor.page.locator(".thumb-name")).to_have_text(["first.png"])
    expect(visitor.page.locator(".thumb")).to_have_attribute("data-state", "found")


def test_dropped_picture_is_taken(visitor, pictures):
    data = base64.b64encode(pictures["first"].read_bytes()).decode()
    visitor.page.evaluate(
        """([data]) => {
          const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
          const transfer = new DataTransfer();
          transfer.items.add(new File([bytes], 'dropped.png', { type: 'image/png' }));
          document.querySelector('.board').dispatchEvent(
            new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }));
        }""",
        [data],
    )
    expect(visitor.page.locator(".thumb-name")).to_have_text(["dropped.png"])
