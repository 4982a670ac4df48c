from __future__ import annotations

import dataclasses
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vrpsam_app.annotations import Box, Point
from vrpsam_app.errors import AnnotationError, ConfigError, EmptyReferenceError
from vrpsam_app.image_files import decode_png, read_image, read_mask
from vrpsam_app.library.reference_library import ReferenceLibrary
from vrpsam_app.recipe import Recipe
from vrpsam_app.references import Reference
from vrpsam_app.review.archive import pack_project, unpack_project
from vrpsam_app.review.project import ReviewProject
from vrpsam_app.review.run import recipe_path
from vrpsam_app.web import callbacks, downloads, projects, view
from vrpsam_app.web.inquiry import with_standing_decisions
from vrpsam_app.web.marked import marked_references, read_page
from vrpsam_app.web.model import Choice
from vrpsam_app.web.session import Finding
from vrpsam_app.web.visitor import Visitor


@pytest.fixture
def other():
    """What another visitor has."""
    visitor = Visitor()
    yield visitor.session
    visitor.close()


def sent_back(given) -> dict:
    """What the browser sends once it has what it was given."""
    references = [
        {
            **reference,
            "marks": [
                {key: mark[key] for key in ("type", "key", "positive")}
                for mark in reference["marks"]
            ],
        }
        for reference in given.canvas()["references"]
    ]
    return {"shown": given.shown, "references": references}


def packed(project: ReviewProject, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        pack_project(project, archive)
    return path


def references() -> list[Reference]:
    image = np.random.default_rng(0).integers(0, 255, (40, 50, 3), np.uint8)
    deep = np.linspace(0, 1, 30 * 30, dtype=np.float32).reshape(30, 30)
    cell = Reference.from_annotations(
        image, [Box(5, 5, 20, 20), Point(30, 30, positive=False)], label="cell"
    )
    return [
        cell,
        Reference.from_annotations(image, [Point(10, 40)], label="dust").as_not_this(),
        Reference.from_mask(deep, deep > 0.9, label="dust", exhaustive=True),
    ]


def test_a_library_comes_back_equal(other, tmp_path):
    saved = references()
    path = ReferenceLibrary.from_references(saved).save(tmp_path / "mine.zip")
    given = projects.load_library(other, path)
    page = given.added_to(other)
    built = marked_references(page, read_page(page, sent_back(given), {}))
    assert [r.content_key for r in built] == [r.content_key for r in saved]
    assert [r.label for r in built] == [r.label for r in saved]
    assert not given.canvas()["replace"]
    assert len(page.marked) == len(other.marked) + 2
    shown = given.canvas()["references"]
    assert [mark["positive"] for mark in shown[0]["marks"]] == [True, False]
    assert [mark["positive"] for mark in shown[1]["marks"]] == [False]


def test_loaded_references_can_be_marked_further(other, tmp_path):
    path = ReferenceLibrary.from_references(references()[:1]).save(tmp_path / "mine.zip")
    given = projects.load_library(other, path)
    canvas = sent_back(given)
    canvas["references"][0]["marks"].append({"type": "box", "xyxy": [30, 5, 45, 15]})
    page = given.added_to(other)
    (built,) = marked_references(page, read_page(page, canvas, {}))
    (saved, *_) = references()
    added = np.zeros_like(saved.positive)
    added[5:15, 30:45] = True
    np.testing.assert_array_equal(built.positive, saved.positive | added)


@pytest.mark.parametrize("content", [b"", b"PK", b"text"])
def test_a_file_that_is_no_library_is_a_sentence(other, tmp_path, content):
    path = tmp_path / "library.zip"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="library"):
        projects.load_library(other, path)


def test_an_empty_library_is_a_sentence(other, tmp_path):
    path = ReferenceLibrary().save(tmp_path / "empty.zip")
    with pytest.raises(EmptyReferenceError, match="without references"):
        projects.load_library(other, path)


def test_a_mask_file_marks_the_picture_that_is_shown(session, canvas_with, tmp_path):
    mask = np.zeros((120, 200), np.uint8)
    mask[45:75, 35:65] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    given = projects.take_mask(session, canvas_with(label="cell"), tmp_path / "mask.png")
    canvas = sent_back(given)
    page = given.added_to(session)
    (built,) = marked_references(page, read_page(page, canvas, {}))
    assert (built.label, built.kind) == ("cell", "mask")
    np.testing.assert_array_equal(built.positive, mask > 0)


def test_a_mask_of_another_size_or_without_marks_is_a_sentence(session, canvas_with, tmp_path):
    Image.new("L", (20, 10), 255).save(tmp_path / "small.png")
    with pytest.raises(AnnotationError, match=r"small\.png"):
        projects.take_mask(session, canvas_with(), tmp_path / "small.png")
    Image.new("L", (200, 120)).save(tmp_path / "black.png")
    with pytest.raises(EmptyReferenceError):
        projects.take_mask(session, canvas_with(), tmp_path / "black.png")


def test_a_result_becomes_the_next_reference(session, inquiry, asked, red_box):
    target = session.targets[0]
    for verdict, exhaustive in ((None, False), ("accept", True)):
        decisions = {} if verdict is None else {target.id: verdict}
        question = asked(red_box, about=target.id, decisions=decisions)
        masks = downloads.masks_of(inquiry(question), target)
        given = projects.reuse_result(question, target, masks)
        page = given.added_to(session)
        (built,) = marked_references(page, read_page(page, sent_back(given), {}))
        np.testing.assert_array_equal(built.positive, read_image(target.path)[..., 0] > 180)
        assert built.exhaustive == exhaustive
        assert given.shown == target.id
        assert [p.name for p in page.marked] == ["reference.png", "first.png"]


def test_an_empty_result_is_no_reference(session, inquiry, asked, red_box):
    target = session.targets[2]
    question = asked(red_box, about=target.id)
    masks = downloads.masks_of(inquiry(question), target)
    with pytest.raises(EmptyReferenceError, match=r"without\.png"):
        projects.reuse_result(question, target, masks)


def test_a_saved_zip_opens_as_it_was(session, other, asked, zipped, red_box):
    first, second, without = (target.id for target in session.targets)
    against = {"type": "point", "xy": [40, 40], "positive": False}
    question = asked(
        red_box,
        threshold=0.63,
        min_area=20,
        decisions={first: "accept", second: "fix", without: "reject"},
        corrections={second: {"object": [against]}},
    )
    path = zipped(question)
    given = projects.open_project(other, path)
    opened = given.added_to(other)
    assert [t.path.stem for t in opened.targets] == [t.path.stem for t in session.targets]
    for old, new in zip(session.targets, opened.targets, strict=True):
        assert old.id == new.id
    again = read_page(opened, sent_back(given), given.board)
    assert [r.content_key for r in marked_references(opened, again)] == [
        r.content_key for r in marked_references(session, question)
    ]
    assert (again.threshold, again.min_area) == (0.63, 20)
    assert again.decisions == question.decisions
    assert again.corrections == question.corrections
    shown = view.board_answers(opened, given.answers)
    assert [answer["classes"][0]["present"] for answer in shown] == [True, True, False]
    with zipfile.ZipFile(path) as before, zipfile.ZipFile(zipped(again, of=opened)) as after:
        results = [name for name in before.namelist() if name.startswith(("masks/", "objects/"))]
        assert results
        for name in results:
            assert before.read(name) == after.read(name), name


def test_what_was_decided_elsewhere_is_seen(session, other, asked, zipped, red_box, tmp_path):
    project = unpack_project(zipped(asked(red_box)), tmp_path / "project")
    project.reject(["first"])
    project.accept(["second"])
    given = projects.open_project(other, packed(project, tmp_path / "later.zip"))
    by_name = {t.path.stem: t.id for t in given.added_to(other).targets}
    assert given.board["decisions"] == {by_name["first"]: "reject", by_name["second"]: "accept"}


class Silent:
    """A model that is not to be asked."""

    input_side = 512

    def describe(self) -> dict[str, object]:
        return {"method": "silent"}


def saved_recipe(path: Path) -> Recipe:
    with zipfile.ZipFile(path) as archive:
        return Recipe.from_json(json.loads(archive.read("recipe.json")))


def test_what_is_opened_is_saved_as_it_is(
    session, inquiry, asked, zipped, red_box, tmp_path, other, segmenter
):
    drawn = np.zeros((120, 200), bool)
    drawn[20:60, 50:90] = True
    decisions = {session.targets[1].id: "accept"}
    project = unpack_project(zipped(asked(red_box, decisions=decisions)), tmp_path / "project")
    project.fix("first", {"object": drawn}, who="somebody")
    given = projects.open_project(other, packed(project, tmp_path / "drawn.zip"))
    opened = dataclasses.replace(given.added_to(other), choice=Choice("another/model"))
    first = opened.targets[0]
    board = {**given.board, "threshold": 0.9}
    question = read_page(opened, sent_back(given), board)
    asks = inquiry(question, given.answers, of=opened, by=Silent())
    np.testing.assert_array_equal(read_mask(downloads.save_mask(asks)), drawn)
    np.testing.assert_array_equal(downloads.masks_of(asks, first)["object"], drawn)
    path = zipped(question, given.answers, of=opened, by=Silent())
    with zipfile.ZipFile(path) as archive:
        assert (decode_png(archive.read("masks/first_mask.png")) == drawn * 255).all()
    recipe = saved_recipe(path)
    assert recipe.made_by == segmenter.describe()
    assert recipe.threshold == 0.5
    assert [target.name for target in recipe.targets] == ["second.png", "without.png"]
    again = unpack_project(path, tmp_path / "again")
    page = again.state.fact(downloads.PAGE_FACT)
    assert (page["model"], page["method"], page["threshold"]) == ("embedded", "vrp_sam", 0.5)
    assert {p.name: p.status for p in again.state.pictures()} == {
        "first": "fixed",
        "second": "accepted",
        "without": "waiting",
    }
    assert again.state.picture("first").who == "somebody"
    for name in ("second", "without"):
        before, after = project.state.picture(name), again.state.picture(name)
        assert (after.question, after.classes) == (before.question, before.classes)
        assert recipe_path(again, after.question).is_file()
        for some, others in zip(
            project.masks_of(before).values(), again.masks_of(after).values(), strict=True
        ):
            np.testing.assert_array_equal(some, others)


def test_a_recipe_names_what_was_asked_after_opening(
    session, asked, zipped, red_box, tmp_path, other, segmenter
):
    given = projects.open_project(other, zipped(asked(red_box)))
    opened = given.added_to(other)
    mark = {"type": "point", "xy": [40, 40], "positive": False}
    corrections = {opened.targets[0].id: {"object": [mark]}}
    board = {**given.board, "threshold": 0.9, "corrections": corrections}
    path = zipped(read_page(opened, sent_back(given), board), given.answers, of=opened)
    recipe = saved_recipe(path)
    assert (recipe.made_by, recipe.threshold) == (segmenter.describe(), 0.9)
    assert [target.name for target in recipe.targets] == ["first.png"]
    project = unpack_project(path, tmp_path / "project")
    assert project.state.fact(downloads.PAGE_FACT)["threshold"] == 0.5


@pytest.mark.parametrize("drawn", [True, False], ids=["drawn", "damaged"])
def test_where_nobody_knows_what_made_the_masks_a_recipe_names_no_model(
    asked, zipped, red_box, tmp_path, other, drawn
):
    project = unpack_project(zipped(asked(red_box)), tmp_path / "project")
    for picture in project.state.pictures():
        if drawn:
            project.fix(picture.name, {"object": np.ones(picture.shape[:2], bool)})
        else:
            recipe_path(project, picture.question).write_text("no recipe")
    given = projects.open_project(other, packed(project, tmp_path / "later.zip"))
    opened = given.added_to(other)
    question = read_page(opened, sent_back(given), given.board)
    recipe = saved_recipe(zipped(question, given.answers, of=opened, by=Silent()))
    assert (recipe.made_by, recipe.targets) == ({}, ())


def test_what_is_marked_on_an_opened_result_is_asked(
    session, inquiry, asked, zipped, red_box, segmenter
):
    decisions = {session.targets[1].id: "accept"}
    visitor = Visitor()
    given = projects.open_project(visitor.session, zipped(asked(red_box, decisions=decisions)))
    opened = visitor.change(given.added_to, given.answers)
    first, second, third = opened.targets
    mark = {"type": "point", "xy": [40, 40], "positive": False}
    of_project = visitor.answers.findings

    def question(canvas=None, **board):
        page = read_page(opened, canvas or sent_back(given), {**given.board, **board})
        return inquiry(page, visitor.answers, of=opened)

    def answered(asks) -> int:
        """Answer what the page shows, and return how often the model was asked."""
        before = len(segmenter.asked)
        for progress in callbacks.preview(asks):
            visitor.answer(progress.answers)
        return len(segmenter.asked) - before

    corrected = {"shown": first.id, "corrections": {first.id: {"object": [mark]}}}
    asks = question(**corrected)
    assert asks.opened(first) is None
    before = len(segmenter.asked)
    downloads.save_mask(asks)
    assert len(segmenter.asked) == before + 2, "without the mark, and after hearing it"
    assert answered(asks) == 2
    for others in (asks, question(**corrected)):  # before the answer and after it
        assert others.opened(first) is None
        assert others.opened(second) is of_project[second.id]
        assert others.opened(third) is of_project[third.id]
    page = with_standing_decisions(opened, asks.asked, visitor.answers)
    assert page.decisions == {second.id: "accept"}
    assert answered(question(**{**corrected, "shown": second.id})) == 0

    more = sent_back(given)
    more["references"][0]["marks"].append({"type": "point", "xy": [50, 60]})
    asks = question(more, shown=second.id)
    assert [asks.opened(target) for target in opened.targets] == [None] * 3
    assert answered(asks) == 1
    assert set(visitor.answers.findings) == {second.id}
    visitor.close()


def test_find_asks_for_what_was_opened(session, search, asked, zipped, red_box, other, segmenter):
    given = projects.open_project(other, zipped(asked(red_box)))
    opened = given.added_to(other)
    before = len(segmenter.asked)
    found = search(read_page(opened, sent_back(given), given.board), given.answers, of=opened)
    assert len(segmenter.asked) == before + 3
    kinds = [type(found.answers.findings[target.id]) for target in opened.targets]
    assert kinds == [Finding] * 3


def test_objects_are_counted_as_before(session, inquiry, asked, zipped, red_box, other, search):
    found = search(asked(red_box)).answers.findings
    given = projects.open_project(other, zipped(asked(red_box)))
    specks = {key: [c.speck for c in f.classes] for key, f in found.items()}
    assert {k: [c.speck for c in f.classes] for k, f in given.answers.findings.items()} == specks
    assert all(speck > 0 for (speck,) in specks.values())


def test_the_board_hears_that_opened_results_are_fixed(
    session, search, asked, zipped, red_box, other
):
    given = projects.open_project(other, zipped(asked(red_box)))
    shown = view.board_answers(given.added_to(other), given.answers)
    assert [answer["fixed"] for answer in shown] == [True] * 3
    found = view.board_answers(session, search(asked(red_box)).answers)
    assert [answer["fixed"] for answer in found] == [False] * 3


def test_a_file_that_is_no_project_is_a_sentence(other, tmp_path):
    (tmp_path / "text.zip").write_text("no")
    with pytest.raises(ConfigError, match=r"text\.zip"):
        projects.open_project(other, tmp_path / "text.zip")
    before = sorted(other.folder.rglob("*.sqlite"))
    assert before == []


def test_visitors_do_not_see_kept_pixels_of_others(visitor, session, other, tmp_path):
    path = ReferenceLibrary.from_references(references()[:1]).save(tmp_path / "mine.zip")
    given = projects.load_library(session, path)
    assert len(visitor.change(given.added_to).kept) == 1
    stolen = sent_back(given)
    stolen["references"][0]["image"] = other.marked[0].id
    with pytest.raises(AnnotationError, match="no longer on the server"):
        marked_references(other, read_page(other, stolen, {}))


def test_a_project_takes_the_place_of_all_pictures(session, other, asked, zipped, red_box):
    given = projects.open_project(other, zipped(asked(red_box)))
    page = given.added_to(other)
    assert [picture.id for picture in page.marked] == [picture.id for picture in session.marked]
    assert [picture.id for picture in page.targets] == [picture.id for picture in session.targets]
