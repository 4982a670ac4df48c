"""A run over a project: once each, resumed after a kill, failures named, questions told apart."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vrpsam_app.annotations import Box, Point
from vrpsam_app.errors import AnnotationError, Cancelled, ConfigError, EmptyReferenceError
from vrpsam_app.images import IntensityRange
from vrpsam_app.library.reference_library import ReferenceLibrary
from vrpsam_app.progress import CancelToken, Progress
from vrpsam_app.recipe import Recipe
from vrpsam_app.references import Reference
from vrpsam_app.review.project import ReviewProject
from vrpsam_app.review.run import corrected_masks, recipe_path, run_review

RED, GREEN = (220, 30, 30), (30, 200, 40)


def picture(path: Path, red: int | None = 4, green: int | None = None) -> Path:
    image = np.full((24, 30, 3), 120, np.uint8)
    if red is not None:
        image[2 : 2 + red, 3:13] = RED
    if green is not None:
        image[14 : 14 + green, 3:13] = GREEN
    Image.fromarray(image).save(path)
    return path


def reference(colour: tuple[int, int, int] = RED, label: str = "red", size: int = 4) -> Reference:
    image = np.zeros((12, 12, 3), np.uint8)
    image[2 : 2 + size, 2:6] = colour
    return Reference.from_annotations(image, [Box(2, 2, 2 + size, 6)], label=label)


@pytest.fixture
def project(tmp_path: Path) -> ReviewProject:
    made = ReviewProject.create(tmp_path / "project")
    (tmp_path / "in").mkdir()
    paths = [picture(tmp_path / "in" / f"{n}.png", 3 + i) for i, n in enumerate("abc")]
    list(made.add_pictures(paths))
    made.add_references([reference()])
    return made


def names(results: object) -> list[str]:
    return [result.picture.name for result in results]


def test_some_pictures_are_left_alone(project: ReviewProject, colour_segmenter):
    assert names(run_review(project, colour_segmenter, leave=["b"])) == ["a", "c"]
    assert project.state.picture("b").status == "new"


def test_everything_is_segmented_once(project: ReviewProject, colour_segmenter):
    results = list(run_review(project, colour_segmenter))
    assert names(results) == ["a", "b", "c"]
    assert [r.picture.status for r in results] == ["waiting"] * 3
    areas = [project.masks_of(p)["red"].sum() for p in project.state.pictures()]
    assert areas == [30, 40, 50]
    assert results[0].picture.classes["red"].share == pytest.approx(30 / 720)
    assert len(colour_segmenter.calls) == 3
    assert list(run_review(project, colour_segmenter)) == []
    assert len(colour_segmenter.calls) == 3


def test_a_run_goes_on_where_it_was(project: ReviewProject, colour_segmenter):
    first = run_review(project, colour_segmenter)
    assert next(first).picture.name == "a"
    first.close()
    assert names(run_review(project, colour_segmenter)) == ["b", "c"]


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
from colour_segmenter import ColourSegmenter
from vrpsam_app.review import run as review_run
from vrpsam_app.review.project import ReviewProject
class Dying(ColourSegmenter):
    def predict(self, *args, **settings):
        if len(self.calls) == 1:
            die()
        return super().predict(*args, **settings)
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
project = ReviewProject(sys.argv[1])
moment = sys.argv[3]
if moment == "files":
    project.state.keep_result = die
    segmenter = ColourSegmenter()
else:
    segmenter = Dying()
list(review_run.run_review(project, segmenter))
"""


@pytest.mark.parametrize(
    ("moment", "left"),
    # The first picture is written while the second is asked about: it may be kept, or not yet.
    [("predict", (["b", "c"], ["a", "b", "c"])), ("files", (["a", "b", "c"],))],
)
def test_killed_it_goes_on_with_equal_results(
    project: ReviewProject, colour_segmenter, moment: str, left: tuple[list[str], ...]
):
    folder = Path(__file__).parents[2]  # where ColourSegmenter is
    arguments = [sys.executable, "-c", KILLED, str(project.folder), str(folder), moment]
    dying = subprocess.run(arguments, check=False, capture_output=True, text=True)
    assert dying.returncode == -9, dying.stderr
    assert names(run_review(project, colour_segmenter)) in left
    assert [project.masks_of(p)["red"].sum() for p in project.state.pictures()] == [30, 40, 50]
    assert len(list((project.folder / "results").iterdir())) == 3


def test_failure_is_named_and_the_rest_goes_on(
    project: ReviewProject, tmp_path: Path, colour_segmenter
):
    picture(tmp_path / "in" / "b.png", 9)  # another one than was added
    (tmp_path / "in" / "c.png").write_bytes(b"broken")
    results = list(run_review(project, colour_segmenter))
    assert [r.picture.status for r in results] == ["waiting", "failed", "failed"]
    assert "other pixels than when it was added" in results[1].picture.error
    assert "c.png" in str(results[2].error)
    picture(tmp_path / "in" / "c.png", 5)
    assert names(run_review(project, colour_segmenter)) == ["b", "c"]
    assert project.state.picture("c").status == "waiting"


def test_a_picture_that_was_broken_when_added(project: ReviewProject, tmp_path, colour_segmenter):
    (tmp_path / "in" / "d.png").write_bytes(b"broken")
    list(project.add_pictures([tmp_path / "in" / "d.png"]))
    picture(tmp_path / "in" / "d.png", 7)
    list(run_review(project, colour_segmenter))
    assert project.state.picture("d").shape == (24, 30, 3)
    assert project.state.picture("d").status == "waiting"


def test_another_question_is_asked_of_what_waits(project: ReviewProject, colour_segmenter):
    list(run_review(project, colour_segmenter))
    project.accept(["a"])
    project.reject(["b"])
    before = project.state.picture("c")
    project.add_references([reference(size=6)])
    assert names(run_review(project, colour_segmenter)) == ["c"]
    after = project.state.picture("c")
    assert after.question != before.question
    assert not (project.folder / before.masks["red"]).exists()
    assert [p.status for p in project.state.pictures()] == ["accepted", "rejected", "waiting"]
    again = names(run_review(project, colour_segmenter, redo=["accepted", "rejected"]))
    assert again == ["a", "b"]
    assert [p.status for p in project.state.pictures()] == ["waiting"] * 3


def test_drawn_masks_stay(project: ReviewProject, colour_segmenter):
    project.fix("a", {"red": np.eye(24, 30)})
    list(run_review(project, colour_segmenter, redo=["fixed"]))
    fixed = project.state.picture("a")
    assert fixed.status == "fixed"
    assert project.masks_of(fixed)["red"].sum() == 24
    assert fixed.certainty == 0.5  # what the segmenter said is known all the same


def test_threshold_is_part_of_the_question(project: ReviewProject, colour_segmenter):
    list(run_review(project, colour_segmenter))
    assert len(list(run_review(project, colour_segmenter, threshold=0.3))) == 3
    assert colour_segmenter.calls[-1]["threshold"] == 0.3


def test_lost_mask_is_made_again(project: ReviewProject, colour_segmenter):
    list(run_review(project, colour_segmenter))
    (project.folder / project.state.picture("b").masks["red"]).unlink()
    assert names(run_review(project, colour_segmenter)) == ["b"]


def test_several_classes(project: ReviewProject, tmp_path: Path, colour_segmenter):
    both = picture(tmp_path / "in" / "both.png", 4, 5)
    list(project.add_pictures([both]))
    project.add_references([reference(GREEN, "green")])
    list(run_review(project, colour_segmenter))
    masks = project.masks_of(project.state.picture("both"))
    assert {label: mask.sum() for label, mask in masks.items()} == {"red": 40, "green": 50}
    assert project.state.picture("a").classes["green"].present is False


def test_a_library_that_was_changed_by_itself(project: ReviewProject, colour_segmenter):
    library = ReferenceLibrary.from_references([reference(GREEN, "green"), reference()])
    library.save(project.folder / "references.zip", overwrite=True)
    list(run_review(project, colour_segmenter))
    assert project.classes == ("red", "green")
    assert set(project.state.picture("a").masks) == {"red", "green"}


def test_one_intensity_range_that_stays(project: ReviewProject, tmp_path: Path, colour_segmenter):
    for name, top in (("dim", 1000), ("bright", 60000)):
        values = np.linspace(0, top, 400).reshape(20, 20).astype(np.uint16)
        Image.fromarray(values).save(tmp_path / "in" / f"{name}.png")
    paths = [tmp_path / "in" / f"{name}.png" for name in ("dim", "bright")]
    list(project.add_pictures(paths))
    list(run_review(project, colour_segmenter))
    assert {c["intensity_range"] for c in colour_segmenter.calls} == {IntensityRange(0, 60000)}
    deep = Reference.from_annotations(
        np.full((9, 9), 65535, np.uint16), [Box(1, 1, 3, 3)], label="red"
    )
    project.add_references([deep])
    colour_segmenter.calls.clear()
    list(run_review(project, colour_segmenter))
    assert {c["intensity_range"] for c in colour_segmenter.calls} == {IntensityRange(0, 60000)}


def test_the_question_is_kept_as_a_recipe(project: ReviewProject, colour_segmenter):
    list(run_review(project, colour_segmenter, threshold=0.4))
    recipe = Recipe.load(recipe_path(project, project.state.picture("a").question))
    assert [r.content_key for r in recipe.references] == [reference().content_key]
    assert recipe.threshold == 0.4
    assert recipe.sections["tiling"]["tiling"] == "auto"


def test_progress_and_cancel(project: ReviewProject, colour_segmenter):
    token, told = CancelToken(), []

    def tell(progress: Progress) -> None:
        told.append((progress.done, progress.total))
        if progress.done == 2:
            token.cancel()

    with pytest.raises(Cancelled):
        list(run_review(project, colour_segmenter, cancel=token, progress=tell))
    assert told == [(0, 3), (1, 3), (2, 3)]
    assert names(run_review(project, colour_segmenter)) == ["c"]


def test_references_are_needed(project: ReviewProject, colour_segmenter):
    project.keep_library(project.library.remove("red"))
    with pytest.raises(EmptyReferenceError, match="has no reference"):
        list(run_review(project, colour_segmenter))
    project.add_references([reference().as_not_this()])
    with pytest.raises(AnnotationError, match="only 'not this'"):
        list(run_review(project, colour_segmenter))


class Correcting:
    """Finds a row for each mark, and remembers what it was asked."""

    def predict(self, target, references, *, corrections, intensity_range, threshold):
        self.asked = references, corrections, intensity_range, threshold
        mask = np.zeros(target.shape[:2], bool)
        mask[: len(corrections.annotations)] = True

        class Found:
            pass

        found = Found()
        found.mask = mask
        return found


def test_a_correction_is_cut_where_the_answer_was(project: ReviewProject, colour_segmenter):
    segmenter = Correcting()
    corrected_masks(project, segmenter, "a", [Point(3, 4)])
    assert segmenter.asked[-1] == 0.5
    list(run_review(project, colour_segmenter, threshold=0.95))
    corrected_masks(project, segmenter, "a", [Point(3, 4)])
    assert segmenter.asked[-1] == 0.95


def test_marks_on_a_picture_correct_it(project: ReviewProject):
    project.add_references([reference(GREEN, "green")])
    segmenter = Correcting()
    marks = [Point(3, 4), Point(9, 9, positive=False)]
    masks = corrected_masks(project, segmenter, "a", marks, label="green", threshold=0.3)
    assert {label: mask.sum() for label, mask in masks.items()} == {"green": 60}
    references, corrections, _, threshold = segmenter.asked
    assert [(r.label, r.is_not_this) for r in references] == [("green", False), ("green", True)]
    assert (corrections.annotations, threshold) == (tuple(marks), 0.3)
    with pytest.raises(ConfigError, match=r"class None: expected one of .*red, green"):
        corrected_masks(project, segmenter, "a", marks)
    with pytest.raises(ConfigError, match="class 'blue'"):
        corrected_masks(project, segmenter, "a", marks, label="blue")
