"""The whole page in a real browser: what a person does, and what comes back from the server."""

from __future__ import annotations

import io
import re
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from vrpsam_app.library.reference_library import ReferenceLibrary

REFERENCE_INPUT = "input:has(+ #choose-reference)"
TARGETS_INPUT = "input:has(+ #add-targets)"
RED_DISC = ((40, 50), (60, 70))


@dataclass
class Visit:
    """One visitor's page, with all that it asked and all that went wrong."""

    page: Page
    size: tuple[int, int] = (384, 303)
    foreign: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def status(self, words: str | re.Pattern[str]) -> None:
        expect(self.page.locator("#status")).to_contain_text(words, timeout=20_000)

    def choose_reference(self, path: Path) -> None:
        with Image.open(path) as image:
            self.size = image.size
        self.page.set_input_files(REFERENCE_INPUT, str(path))
        self.status("Mark one object")
        expect(self.page.locator(".mark-list li")).to_have_count(0)

    def add_targets(self, *paths: Path) -> None:
        """Look in these, and no longer in the reference itself."""
        self.page.set_input_files(TARGETS_INPUT, [str(path) for path in paths])
        expect(self.thumbs).to_have_count(len(paths) + 1, timeout=15_000)
        self.page.locator(".thumb button").first.click(force=True)
        expect(self.thumbs).to_have_count(len(paths))

    def bring(self, pictures: dict[str, Path], *targets: str) -> None:
        """Choose the reference and these targets, and mark the red disc."""
        self.choose_reference(pictures["reference"])
        self.add_targets(*(pictures[name] for name in targets))
        self.drag(*RED_DISC)
        self.status("Press Find" if len(targets) > 1 else "found in")

    @property
    def thumbs(self) -> Any:
        return self.page.locator(".thumb")

    def states(self) -> list[str]:
        return self.thumbs.evaluate_all("all => all.map(t => t.dataset.state)")

    def at(self, x: float, y: float, size: tuple[int, int], part: str) -> tuple[float, float]:
        """Return where a place of the picture lies in the window: centred, as large as fits."""
        stage = self.page.locator(f"{part} .stage > canvas").bounding_box()
        scale = min(stage["width"] / size[0], stage["height"] / size[1])
        left = stage["x"] + (stage["width"] - size[0] * scale) / 2
        top = stage["y"] + (stage["height"] - size[1] * scale) / 2
        return left + x * scale, top + y * scale

    def drag(self, *points: tuple[float, float]) -> None:
        self.page.click("[data-tool=box]")
        self.page.mouse.move(*self.at(*points[0], self.size, "#canvas"))
        self.page.mouse.down()
        for point in points[1:]:
            self.page.mouse.move(*self.at(*point, self.size, "#canvas"))
        self.page.mouse.up()

    def download(self, selector: str) -> tuple[str, bytes]:
        """Press a button and return name and content of the file that the browser saves."""
        with self.page.expect_download(timeout=30_000) as saved:
            self.page.click(selector)
        return saved.value.suggested_filename, Path(saved.value.path()).read_bytes()

    def open_more(self) -> None:
        self.page.click("#more > button")
        expect(self.page.locator("#show-code")).to_be_visible()


def visit(browser: Browser, url: str) -> Visit:
    page = browser.new_context(viewport={"width": 1280, "height": 860}).new_page()
    visitor = Visit(page)

    def note(request: Any) -> None:
        if not request.url.startswith((url, "data:", "blob:")):
            visitor.foreign.append(request.url)

    page.on("request", note)
    page.on("pageerror", lambda error: visitor.errors.append(str(error)))
    page.goto(url)
    expect(page.locator(".mark-list li")).to_have_count(1, timeout=15_000)
    expect(visitor.thumbs).to_have_count(3)
    return visitor


@pytest.fixture
def visitor(browser: Browser, served: str) -> Iterator[Visit]:
    visitor = visit(browser, served)
    yield visitor
    visitor.page.context.close()
    assert (visitor.foreign, visitor.errors) == ([], [])


def test_one_click_gives_results(visitor):
    visitor.page.click("#find")
    visitor.status("Found in 2 of 3 pictures")
    assert sorted(visitor.states()) == ["absent", "found", "found"]


def test_a_mark_is_answered_for_the_visible_picture(visitor, pictures):
    visitor.bring(pictures, "first", "second")
    visitor.status("Press Find for the other one")
    assert visitor.states() == ["found", "waiting"]
    visitor.page.locator(".mark-list button").click()
    visitor.status("Mark one object")


def test_two_visitors_never_see_each_other(browser, served, pictures):
    first, second = visit(browser, served), visit(browser, served)
    first.bring(pictures, "first", "second")
    second.page.click("#find")
    second.status("Found in 2 of 3 pictures")
    expect(second.page.locator(".thumb-name")).to_have_text(
        ["coins-lighter.png", "coins-in-the-grass.png", "grass.png"]
    )
    expect(first.page.locator(".thumb-name")).to_have_text(["first.png", "second.png"])
    for visitor in (first, second):
        visitor.page.context.close()
        assert (visitor.foreign, visitor.errors) == ([], [])


def test_who_is_faster_than_the_page_keeps_what_was_chosen(browser, served, pictures):
    page = browser.new_context(viewport={"width": 1280, "height": 860}).new_page()
    visitor, held = Visit(page), []

    def hold_first(route: Any) -> None:
        held.append(route)
        if len(held) > 1:
            route.continue_()

    page.route("**/run/predict*", hold_first)  # the first says that the page is there
    page.goto(served)
    visitor.choose_reference(pictures["reference"])
    assert held
    with page.expect_response("**/run/predict*"):
        held[0].continue_()
    visitor.drag(*RED_DISC)
    visitor.status("found in")
    expect(visitor.page.locator(".thumb-name")).to_have_text(["reference.png"])
    page.context.close()


def test_files_go_when_the_page_is_closed(browser, served, pictures):
    (workspace,) = served.folder.glob("vrpsam-web-*")
    before = set(workspace.iterdir())
    visitor = visit(browser, served)
    visitor.choose_reference(pictures["reference"])
    mine = [path for path in set(workspace.iterdir()) - before if list(path.glob("reference*"))]
    assert len(mine) == 1
    visitor.page.context.close()
    for _ in range(200):
        if not mine[0].exists():
            break
        time.sleep(0.1)
    assert not mine[0].exists()


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


def test_what_is_done_while_files_are_read_is_not_lost(visitor, pictures, tmp_path):
    large = [tmp_path / f"large{number}.png" for number in range(12)]
    for number, path in enumerate(large):
        Image.new("RGB", (1800, 1200), (20 * number, 90, 90)).save(path)
    visitor.page.set_input_files(TARGETS_INPUT, [str(path) for path in large])
    visitor.status("Reading 12 files")
    visitor.choose_reference(pictures["reference"])
    visitor.page.set_input_files(TARGETS_INPUT, str(pictures["first"]))
    names = visitor.page.locator(".thumb-name")
    expect(names.filter(has_text=re.compile("^(large|first)"))).to_have_count(13, timeout=20_000)
    visitor.drag(*RED_DISC)
    visitor.status("Press Find to look in the other")
    expect(visitor.page.locator(".toast-body")).to_have_count(0)


def test_a_model_that_is_not_to_be_had_leaves_the_page_as_it_was(visitor):
    visitor.open_more()
    visitor.page.fill("#other-model input, #other-model textarea", "/nobody/nothing")
    visitor.page.click("#use-model")
    visitor.status("nobody/nothing")
    expect(visitor.page.locator("#status")).not_to_contain_text("Loading", timeout=20_000)
    expect(visitor.page.locator("#stop")).to_be_hidden()
    expect(visitor.page.locator("#find")).to_be_enabled()
    visitor.page.click("#find")
    visitor.status("Found in 2 of 3 pictures")


def test_find_without_marks_says_what_to_do(visitor):
    visitor.page.click("#canvas [data-do=clear]")
    visitor.status("Mark one object")
    visitor.page.click("#find")
    visitor.status("Nothing is marked as what to look for. Mark one object")
    expect(visitor.page.locator("#find")).to_be_enabled()
    expect(visitor.page.locator(".toast-body")).to_have_count(0)


def test_results_are_saved_and_opened_again(visitor, pictures, tmp_path):
    visitor.bring(pictures, "first", "without")
    visitor.page.click("#find")
    visitor.status("Found in 1 of 2 pictures")
    name, single = visitor.download("#save-mask")
    assert name == "first_mask.png"
    mask = np.asarray(Image.open(io.BytesIO(single)))
    with Image.open(pictures["first"]) as image:
        np.testing.assert_array_equal(mask > 0, np.asarray(image)[..., 0] > 180)
    assert set(np.unique(mask)) == {0, 255}
    visitor.page.click("[data-verdict=accept]")
    name, everything = visitor.download("#save-all")
    assert name == "vrpsam-results.zip"
    with zipfile.ZipFile(io.BytesIO(everything)) as bundle:
        assert bundle.read("masks/first_mask.png") == single
        assert not np.asarray(Image.open(io.BytesIO(bundle.read("masks/without_mask.png")))).any()
    (tmp_path / "saved.zip").write_bytes(everything)
    visitor.page.goto(visitor.page.url)
    expect(visitor.page.locator(".thumb-name")).to_have_count(3)
    visitor.open_more()
    visitor.page.set_input_files("input:has(+ #open-project)", str(tmp_path / "saved.zip"))
    visitor.status("2 pictures and 1 reference.")
    expect(visitor.page.locator(".thumb-name")).to_have_text(["first.png", "without.png"])
    expect(visitor.page.locator(".mark-list li")).to_have_count(1)
    expect(visitor.page.locator("[data-verdict=accept]")).to_have_attribute("aria-pressed", "true")
    threshold = visitor.page.locator("[data-slider=threshold]")
    expect(threshold).to_be_disabled()
    assert visitor.download("#save-mask")[1] == single
    expect(threshold).to_be_disabled()
    visitor.page.click("#find")
    visitor.status("Found in 1 of 2 pictures")
    expect(threshold).to_be_enabled()
    assert visitor.download("#save-mask")[1] == single


def test_a_search_can_be_stopped_within_a_picture(visitor, pictures, tmp_path):
    slow = []
    for number in range(4):
        slow.append(tmp_path / f"slow{number}.png")
        Image.new("RGB", (333, 60), (210, 40, 40 + number)).save(slow[-1])
    visitor.choose_reference(pictures["reference"])
    visitor.add_targets(*slow)
    visitor.drag(*RED_DISC)
    visitor.status("Press Find to look in the other 3")
    visitor.page.click("#find")
    visitor.status("Looking at 2 of 4")
    visitor.page.click("#stop")
    visitor.status("Stopped")
    expect(visitor.page.locator("#find")).to_be_enabled()
    expect(visitor.page.locator(".thumb[data-state=searching]")).to_have_count(0)
    visitor.page.wait_for_timeout(1500)
    assert visitor.states().count("found") < 4
    visitor.page.click("#find")
    visitor.status("Found in 4 of 4 pictures")


def test_find_right_after_a_mark_looks_in_every_picture(visitor, pictures, tmp_path):
    slow = tmp_path / "slow.png"
    Image.new("RGB", (333, 60), (210, 40, 40)).save(slow)
    visitor.bring({**pictures, "slow": slow}, "first", "slow")
    visitor.drag((45, 55), (56, 66))
    visitor.page.evaluate("document.querySelector('#find').click()")
    visitor.status("Found in 2 of 2 pictures")


def test_a_click_on_a_result_corrects_it(visitor, pictures):
    visitor.bring(pictures, "first")
    size = (200, 120)
    counted = visitor.page.locator(".board-caption")
    expect(counted).to_contain_text("2 found")
    visitor.page.mouse.click(*visitor.at(160, 40, size, "#board"))
    expect(counted).to_contain_text("3 found", timeout=15_000)
    visitor.page.click("#board [data-do=undo]")
    expect(counted).to_contain_text("2 found", timeout=15_000)


def test_corrections_follow_the_name_of_their_kind(visitor, pictures):
    visitor.bring(pictures, "first")
    counted = visitor.page.locator(".board-caption")
    visitor.page.mouse.click(*visitor.at(160, 40, (200, 120), "#board"))
    expect(counted).to_contain_text("3 found", timeout=15_000)
    name = visitor.page.locator(".class-chip input")
    name.fill("red disc")
    name.press("Enter")
    visitor.page.click("#find")
    visitor.status("Found in 1 of 1 picture")
    expect(counted).to_contain_text("3 found")
    _, everything = visitor.download("#save-all")
    with zipfile.ZipFile(io.BytesIO(everything)) as bundle:
        assert "masks/first_mask.png" in bundle.namelist()


def test_a_result_becomes_a_reference(visitor, pictures):
    visitor.bring(pictures, "first", "second")
    visitor.page.click("#board [data-do=reuse]")
    visitor.status("first.png is a reference now")
    expect(visitor.page.locator(".reference")).to_have_count(2)
    visitor.status("Press Find for the other one")
    visitor.page.click("#find")
    visitor.status("Found in 2 of 2 pictures")
    visitor.page.locator(".reference button").last.click(force=True)
    expect(visitor.page.locator(".reference")).to_have_count(1)
    visitor.status("Press Find for the other one")


def test_references_are_saved_and_loaded(visitor, pictures, tmp_path):
    visitor.bring(pictures, "first")
    visitor.page.click(".menu summary")
    name, content = visitor.download("[data-press=save]")
    assert name == "references.zip"
    (tmp_path / name).write_bytes(content)
    assert len(ReferenceLibrary.load(tmp_path / name)) == 1
    visitor.page.goto(visitor.page.url)
    expect(visitor.thumbs).to_have_count(3)
    visitor.page.set_input_files("input:has(+ #load-library)", str(tmp_path / name))
    # What is said of them gives way to the first answer at once; the references themselves stay.
    expect(visitor.page.locator(".reference")).to_have_count(2, timeout=20_000)


def test_a_mask_file_marks_the_picture(visitor, pictures, tmp_path):
    visitor.choose_reference(pictures["reference"])
    mask = np.zeros((120, 200), np.uint8)
    mask[50:70, 40:60] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    visitor.page.set_input_files("input:has(+ #load-mask)", str(tmp_path / "mask.png"))
    expect(visitor.page.locator(".mark-list li")).to_contain_text(["mask.png"], timeout=15_000)
    visitor.status("found in")
    assert visitor.states() == ["found"]


def test_a_whole_folder_is_taken(visitor, pictures, tmp_path):
    folder = tmp_path / "plate"
    folder.mkdir()
    for name in ("first", "second"):
        pictures[name].rename(folder / f"{name}.png")
    (folder / ".DS_Store").write_bytes(b"what a Mac leaves there")
    visitor.page.set_input_files("input:has(+ #add-folder)", str(folder))
    expect(visitor.page.locator(".thumb-name")).to_have_text(
        ["first.png", "second.png"], timeout=15_000
    )


def test_the_page_as_code(visitor, pictures):
    visitor.bring(pictures, "first")
    visitor.open_more()
    visitor.page.click("#show-code")
    expect(visitor.page.locator("#command")).to_contain_text("vrpsam segment")
    expect(visitor.page.locator("#command")).to_contain_text("--target first.png")
    expect(visitor.page.locator("#python")).to_contain_text("segment_files")


def test_another_method_can_be_chosen(visitor, pictures):
    visitor.bring(pictures, "first")
    visitor.open_more()
    expect(visitor.page.locator("#about-model")).to_contain_text("licence")
    visitor.page.click("#method input")
    visitor.page.get_by_role("option", name="best threshold on the references").click()
    visitor.page.click("#use-model")
    visitor.status("Ready, with embedded")
    visitor.page.click("#find")
    visitor.status("of 1 picture")
    expect(visitor.page.locator(".toast-body")).to_have_count(0)


def test_a_picture_is_taken_out(visitor, pictures):
    visitor.bring(pictures, "first", "second")
    visitor.page.locator(".thumb button").nth(1).click(force=True)
    expect(visitor.page.locator(".thumb-name")).to_have_text(["first.png"])
    assert visitor.states() == ["found"]
