"""The page as a person finds it: the first result, marks and results in step, any screen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

REFERENCE_INPUT = "input:has(+ #choose-reference)"
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
RED, ORANGE, GREY = (210, 40, 40), (200, 75, 40), (110, 110, 110)


@dataclass
class Visit:
    """One visitor's page, with all that it asked and all that went wrong."""

    page: Page
    size: tuple[int, int] = (384, 303)
    problems: list[str] = field(default_factory=list)

    def at(self, x: float, y: float, part: str = "#canvas") -> tuple[float, float]:
        """Return where a place of the shown picture lies in the window."""
        stage = self.page.locator(f"{part} .stage").bounding_box()
        width, height = self.size
        scale = min(stage["width"] / width, stage["height"] / height)
        left = stage["x"] + (stage["width"] - width * scale) / 2
        top = stage["y"] + (stage["height"] - height * scale) / 2
        return left + x * scale, top + y * scale

    def choose_reference(self, path: Path) -> None:
        with Image.open(path) as image:
            self.size = image.size
        self.page.set_input_files(REFERENCE_INPUT, str(path))
        name = self.page.locator(".thumb-name")
        expect(name).to_have_text([path.name], timeout=15_000)
        expect(self.page.locator(".mark-list li")).to_have_count(0)

    def drag(self, *points: tuple[float, float]) -> None:
        self.page.mouse.move(*self.at(*points[0]))
        self.page.mouse.down()
        for point in points[1:]:
            self.page.mouse.move(*self.at(*point))
        self.page.mouse.up()

    def counted(self, words: str) -> None:
        expect(self.page.locator(".board-caption")).to_contain_text(words, timeout=20_000)

    def says(self, words: str) -> None:
        expect(self.page.locator("#status")).to_contain_text(words, timeout=20_000)

    def shade(self, x: float, y: float) -> list[int]:
        """Return the colour of the large result at a place of the picture."""
        return self.page.evaluate(
            """async ([x, y]) => {
              await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
              const canvas = document.querySelector('#board .stage > canvas');
              const box = canvas.getBoundingClientRect();
              const ratio = canvas.width / box.width;
              const pen = canvas.getContext('2d');
              return [...pen.getImageData((x - box.x) * ratio, (y - box.y) * ratio, 1, 1).data];
            }""",
            list(self.at(x, y, "#board")),
        )


def visit(browser: Browser, url: str, query: str, **options: Any) -> Visit:
    context = browser.new_context(**({"viewport": {"width": 1440, "height": 900}} | options))
    visitor = Visit(context.new_page())

    def note(request: Any) -> None:
        if not request.url.startswith((url, "data:", "blob:")):
            visitor.problems.append(request.url)

    visitor.page.on("request", note)
    visitor.page.on("pageerror", lambda error: visitor.problems.append(str(error)))
    visitor.page.goto(url + query)
    expect(visitor.page.locator(".mark-list li")).to_have_count(1)
    expect(visitor.page.locator(".thumb")).to_have_count(3)
    return visitor


@pytest.fixture
def open_page(browser: Browser, served: str) -> Iterator[Any]:
    opened: list[Visit] = []

    def open_one(query: str = "", **options: Any) -> Visit:
        opened.append(visit(browser, served, query, **options))
        return opened[-1]

    yield open_one
    for visitor in opened:
        assert visitor.problems == []
        visitor.page.context.close()


@pytest.fixture
def alike(tmp_path: Path) -> Path:
    """A picture with two red squares and an orange one that looks much like them."""
    scene = np.full((120, 200, 3), GREY, np.uint8)
    for column, colour in ((20, RED), (90, RED), (150, ORANGE)):
        scene[50:80, column : column + 30] = colour
    path = tmp_path / "alike.png"
    Image.fromarray(scene).save(path)
    return path


def test_another_picture_is_marked_beside_the_first(open_page, alike):
    visitor = open_page()
    with visitor.page.expect_file_chooser() as chosen:
        visitor.page.click(".reference-add")
    chosen.value.set_files(str(alike))
    expect(visitor.page.locator(".reference")).to_have_count(2, timeout=15_000)
    expect(visitor.page.locator(".thumb")).to_have_count(3)
    visitor.page.click("#find")
    expect(visitor.page.locator("#status")).to_contain_text("of 3 pictures", timeout=20_000)


# What WCAG 2 calls contrast: of each text and the nearest background that is not see-through, of
# the borders of boxes to tick, and of their ticks.
CONTRAST = """() => {
  const parse = (text) => {
    const numbers = text.match(/[\\d.]+/g).map(Number);
    if (!text.startsWith('color(')) return numbers;
    return [...numbers.slice(0, 3).map((n) => 255 * n), ...numbers.slice(3)];
  };
  const light = ([r, g, b]) => {
    const linear = (c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    const [x, y, z] = [r, g, b].map((c) => linear(c / 255));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const color = parse(getComputedStyle(each).backgroundColor);
      if (color.length < 4 || color[3] > 0.7) return color;
    }
    return [255, 255, 255];
  };
  const ratio = (one, other) => {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const poor = [];
  for (const element of document.querySelectorAll('.masthead *, #desk *, #more *')) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    const shown = element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
    const asleep = element.closest(':disabled, .idle, label:has(:disabled), .keys');
    if (!own || !shown || asleep) continue;
    const found = ratio(parse(getComputedStyle(element).color), behind(element));
    if (found < 4.5) poor.push(element.textContent.trim().slice(0, 30) + ' ' + found.toFixed(2));
  }
  for (const box of document.querySelectorAll('#desk input[type=checkbox]')) {
    const { borderTopColor, backgroundColor } = getComputedStyle(box);
    const tick = parse(getComputedStyle(box, '::before').backgroundColor);
    const found = box.checked
      ? ratio(tick, parse(backgroundColor))
      : ratio(parse(borderTopColor), behind(box.parentElement));
    if (found < 3) poor.push('a box, ' + (box.checked ? 'its tick ' : '') + found.toFixed(2));
  }
  return poor;
}"""


NAMELESS = """() => [...document.querySelectorAll('#desk :is(button, input, summary, canvas)')]
  .filter((e) => e.checkVisibility() && !e.closest('.thumb, .reference'))
  .filter((e) => !(e.textContent.trim() || e.ariaLabel || e.labels?.length))
  .map((e) => e.outerHTML.slice(0, 80))"""

STATES = "[...document.querySelectorAll('.thumb')].map((t) => t.dataset.state).sort().join()"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_first_result_takes_one_click(open_page, theme):
    visitor = open_page(f"?__theme={theme}", reduced_motion="reduce")
    page = visitor.page
    stages = [page.locator(f"{part} .stage") for part in ("#canvas", "#board")]
    before = [stage.bounding_box() for stage in stages]
    assert page.evaluate("document.documentElement.scrollHeight") <= 900
    page.click("#find")
    page.wait_for_function(f"{STATES} === 'absent,found,found'", timeout=20_000)
    visitor.counted("found")
    page.click("[data-tool=point]")
    for x in (100, 120, 140, 160):
        page.mouse.click(*visitor.at(x, 60))
    expect(page.locator(".mark-list li")).to_have_count(5)
    page.click("[data-verdict=accept]")
    assert [stage.bounding_box() for stage in stages] == before, "the pictures moved"
    assert page.evaluate("document.documentElement.scrollWidth") == 1440
    page.click("[data-positive=false]")
    page.locator(".board-sort input").check()
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(CONTRAST) == []
    page.evaluate("document.querySelector('.thumb').dataset.state = 'searching'")
    motion = "getComputedStyle(document.querySelector('.thumb canvas')).animationName"
    assert page.evaluate(motion) == "none"


def test_one_click_takes_away_what_only_looks_alike(open_page, alike):
    visitor = open_page()
    visitor.choose_reference(alike)
    visitor.drag((18, 48), (52, 82))
    visitor.counted("3 found")
    visitor.page.click("[data-tool=point]")
    visitor.page.mouse.click(*visitor.at(165, 65), button="right")
    visitor.counted("2 found")
    assert visitor.shade(165, 65)[:3] == pytest.approx(ORANGE, abs=6)
    visitor.page.locator("#canvas [data-do=undo]").click()
    visitor.counted("3 found")
    visitor.page.mouse.click(*visitor.at(172, 72, "#board"))  # on the result itself
    visitor.counted("2 found")
    visitor.page.locator("#board [data-do=undo]").click()
    visitor.counted("3 found")


def test_two_kinds_get_each_its_own_and_sliders_need_no_server(open_page, pictures):
    visitor = open_page()
    visitor.choose_reference(pictures["reference"])
    visitor.drag((40, 50), (60, 70))
    visitor.counted("3% of the picture")
    slider = visitor.page.locator("[data-slider=threshold]")
    visitor.page.context.set_offline(True)
    slider.fill("20")
    visitor.counted("100% of the picture")
    slider.fill("50")
    visitor.counted("3% of the picture")
    visitor.page.context.set_offline(False)
    visitor.page.click(".class-add")
    visitor.page.keyboard.type("blue")
    visitor.page.keyboard.press("Enter")
    visitor.drag((140, 50), (160, 70))
    visitor.counted("1 \u00d7 object, 1 \u00d7 blue")
    red, blue, nothing = (visitor.shade(x, 60) for x in (50, 150, 100))
    assert nothing[:3] == pytest.approx(GREY, abs=6)
    assert abs(red[0] - 210) > 20  # tinted, each in its own colour
    assert blue[0] > 90


def test_photo_of_a_turned_camera(open_page, tmp_path):
    visitor = open_page()
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned right by a quarter
    stored = np.full((60, 90, 3), 110, np.uint8)
    stored[40:56, 5:21] = RED
    Image.fromarray(stored).save(path, exif=exif, quality=95)
    visitor.choose_reference(path)
    visitor.size = (60, 90)
    visitor.drag((5, 6), (19, 20))
    visitor.counted("1 found")
    expect(visitor.page.locator(".mark-list span")).to_have_text("Box 14 \u00d7 14 px at 5, 6")
    assert visitor.shade(12, 13)[2] > 70
    assert visitor.shade(40, 60)[:3] == pytest.approx(GREY, abs=6)


def test_a_phone_needs_no_sideways_scrolling(open_page, pictures):
    visitor = open_page(**PHONE)
    page = visitor.page
    visitor.choose_reference(pictures["reference"])
    page.locator("[data-tool=point]").tap()
    expect(page.locator(".marker-hint")).to_contain_text("Tap the object")
    page.locator("#canvas [data-do=help]").tap()
    expect(page.locator("#canvas .keys dt:visible").first).to_have_text("Tap, drag")
    page.keyboard.press("Escape")
    page.locator("#canvas .stage").scroll_into_view_if_needed()
    page.touchscreen.tap(*visitor.at(50, 60))
    expect(page.locator(".mark-list span")).to_have_text("Point at 50, 60")
    page.locator("#find").tap()
    visitor.counted("1 found")
    expect(page.locator("#board .stage")).to_be_in_viewport(ratio=0.9)
    page.evaluate("scrollTo(0, 0)")
    page.locator("[data-tool=point]").tap()
    page.touchscreen.tap(*visitor.at(52, 62))
    page.locator("#status a", has_text="1 found in reference.png.").tap()
    expect(page.locator("#board .stage")).to_be_in_viewport(ratio=0.9)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.locator("#more button").first.tap()
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    sides = page.evaluate(
        """[...document.querySelectorAll('#canvas button, #board button')]
          .filter((b) => b.offsetParent && !b.closest('li, .thumb, .reference, .class-chip'))
          .map((b) => b.offsetHeight)"""
    )
    assert min(sides) >= 24


def test_a_page_that_is_loaded_again_goes_on(open_page, alike, pictures):
    visitor = open_page()
    page = visitor.page
    visitor.choose_reference(alike)
    page.set_input_files("input:has(+ #add-targets)", str(pictures["first"]))
    visitor.drag((18, 48), (52, 82))
    visitor.counted("3 found")
    page.mouse.click(*visitor.at(172, 72, "#board"))
    visitor.counted("2 found")
    page.click("[data-verdict=accept]")
    assert page.evaluate("sessionStorage.length") == 0  # what a copy of the tab has
    page.reload()
    visitor.says("Your pictures and marks are here again. Press Find.")
    visitor.counted("2 found")
    expect(page.locator(".board-corrections")).to_contain_text("1 correction")
    expect(page.locator("[data-verdict=accept]")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".mark-list li")).to_have_count(1)
    expect(page.locator(".thumb-name")).to_have_text(["alike.png", "first.png"])
    page.click("#find")
    visitor.says("of 2 pictures")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Begin again").click()
    expect(page.locator(".thumb")).to_have_count(3, timeout=15_000)
    visitor.says("Ready")


def test_the_second_picture_of_ones_own_is_marked_shown_and_searched(open_page, alike, pictures):
    visitor = open_page()
    page = visitor.page
    saves = [page.locator(name) for name in ("#save-mask", "#save-all")]
    for button in saves:
        expect(button).to_be_disabled()
    visitor.choose_reference(alike)
    visitor.drag((18, 48), (52, 82))
    visitor.says("3 found in alike.png.")
    for button in saves:
        expect(button).to_be_enabled()
    page.set_input_files(REFERENCE_INPUT, str(pictures["first"]))
    expect(page.locator(".thumb-name")).to_have_text(["first.png", "alike.png"], timeout=15_000)
    expect(page.locator(".thumb[aria-selected=true] .thumb-name")).to_have_text("first.png")
    expect(page.locator(".reference")).to_have_count(1)
    expect(saves[0]).to_be_disabled()
    visitor.drag((25, 15), (55, 45))
    visitor.says("2 found in first.png. Press Find for the other one.")
    for _ in range(2):  # the mark, and the picture
        page.click("#canvas [data-do=undo]")
    expect(page.locator(".reference-open")).to_have_attribute("title", "alike.png: object")
    expect(page.locator(".mark-list li")).to_have_count(1)


def test_a_stroke_shows_at_once_that_there_is_work(open_page, tmp_path):
    visitor = open_page()
    slow = tmp_path / "slow.png"
    scene = np.full((60, 333, 3), GREY, np.uint8)
    scene[20:40, 50:80] = RED
    Image.fromarray(scene).save(slow)
    visitor.choose_reference(slow)
    visitor.drag((48, 18), (82, 42))
    visitor.says("Looking …")
    visitor.says("1 found in slow.png.")
    visitor.page.click("#canvas [data-do=clear]")
    visitor.says("Mark one object")
    visitor.page.click("#find")
    visitor.says("Nothing is marked")
    moving = "getComputedStyle(document.querySelector('.marker-stage')).animationName"
    assert visitor.page.evaluate(moving) == "pulse"
