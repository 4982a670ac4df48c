"""A project: pictures added once, references kept, decisions that stay."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vrpsam_app.annotations import Box
from vrpsam_app.errors import AnnotationError, ConfigError, OutputError
from vrpsam_app.references import Reference
from vrpsam_app.review.project import ReviewProject
from vrpsam_app.review.state import ClassFinding


def picture(path: Path, value: int = 200, hw: tuple[int, int] = (16, 20)) -> Path:
    image = np.zeros((*hw, 3), np.uint8)
    image[2:8, 3:9] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return path


def reference(label: str = "cell") -> Reference:
    image = np.zeros((12, 12, 3), np.uint8)
    image[2:6, 2:6] = 200
    return Reference.from_annotations(image, [Box(2, 2, 6, 6)], label=label)


@pytest.fixture
def project(tmp_path: Path) -> ReviewProject:
    """A project with the pictures a and b, and one reference."""
    made = ReviewProject.create(tmp_path / "project")
    paths = [picture(tmp_path / "in" / "a.png"), picture(tmp_path / "in" / "b.png", 100)]
    assert [added.name for added in made.add_pictures(paths)] == ["a", "b"]
    made.add_references([reference()])
    return made


def answer(project: ReviewProject, name: str, score: float = 0.7, question: str = "q") -> None:
    """Keep a result as a run would."""
    from vrpsam_app.image_files import write_mask

    masks = {}
    for label in project.classes:
        masks[label] = Path("results") / f"{name}-{label}.png"
        (project.folder / "results").mkdir(exist_ok=True)
        mask = np.zeros((16, 20), bool)
        mask[2:8, 3:9] = label == project.classes[0]
        write_mask(project.folder / masks[label], mask, overwrite=True)
    findings = {label: ClassFinding(score, 0.9, True, 0.1) for label in masks}
    project.state.keep_result(project.state.picture(name).id, question, masks, findings)


def test_pictures_stay_where_they_are(project: ReviewProject, tmp_path: Path):
    a, b = project.state.pictures()
    assert project.path_of(a) == (tmp_path / "in" / "a.png").resolve()
    assert (a.shape, a.eight_bit, a.status) == ((16, 20, 3), True, "new")
    assert not (project.folder / "pictures").exists()
    assert a.sha256 != b.sha256


def test_copied_pictures_move_with_the_project(tmp_path: Path):
    project = ReviewProject.create(tmp_path / "project")
    source = picture(tmp_path / "in" / "A picture.JPG")
    (added,) = project.add_pictures([source], copy=True)
    assert added.name == "A-picture"
    moved = tmp_path / "elsewhere"
    project.folder.rename(moved)
    (kept,) = ReviewProject(moved).state.pictures()
    assert kept.path == Path("pictures/A-picture.jpg")
    assert ReviewProject(moved).path_of(kept).read_bytes() == source.read_bytes()


def test_each_picture_is_added_once(project: ReviewProject, tmp_path: Path):
    again = [tmp_path / "in" / "a.png", picture(tmp_path / "copy.png"), tmp_path / "in" / "b.png"]
    assert [added.same_as for added in project.add_pictures(again)] == ["a", "a", "b"]
    assert len(project.state.pictures()) == 2


def test_a_picture_that_changed_or_went_is_not_taken_for_the_old_one(
    project: ReviewProject, tmp_path: Path
):
    known = project.state.picture("a")
    path = picture(tmp_path / "in" / "a.png", 7)
    (changed,) = project.add_pictures([path])
    assert (changed.name, changed.same_as) == (None, None)
    assert "a.png has other pixels than when it was added" in str(changed.error)
    path.write_bytes(b"broken")
    (broken,) = project.add_pictures([path])
    assert (broken.name, broken.same_as) == (None, None)
    assert "a.png" in str(broken.error)
    assert project.state.picture("a") == known


def test_pictures_that_were_not_asked_about_a_class_are_known(project: ReviewProject):
    for name in "ab":
        answer(project, name)
    project.accept("a")
    assert project.unasked(["accepted"]) == {}
    project.number_classes(["spelled wrongly"])
    project.add_references([reference("dirt")])
    assert project.unasked(["accepted"]) == {"dirt": ["a"]}
    project.fix("a", {"dirt": np.zeros((16, 20))})
    assert project.unasked(["accepted", "fixed"]) == {}


def test_equal_names_do_not_collide(project: ReviewProject, tmp_path: Path):
    more = [
        picture(tmp_path / "other" / "A.png", 7),
        picture(tmp_path / "third" / "other" / "a.png", 8),
    ]
    assert [added.name for added in project.add_pictures(more)] == ["other_A", "other_a-2"]


def test_broken_picture_is_named_and_tried_again(project: ReviewProject, tmp_path: Path):
    broken, last = tmp_path / "in" / "c.png", picture(tmp_path / "in" / "d.png", 3)
    broken.write_bytes(b"broken")
    first, second = project.add_pictures([broken, last])
    assert (first.name, second.name, second.error) == ("c", "d", None)
    assert "c.png" in str(first.error)
    assert project.state.picture("c").status == "failed"
    picture(broken, 50)
    (again,) = project.add_pictures([broken])
    assert (again.name, again.error) == ("c", None)
    assert project.state.picture("c").status == "new"


def test_a_name_that_is_not_utf8_is_named_and_the_rest_is_added(
    project: ReviewProject, tmp_path: Path
):
    last = picture(tmp_path / "in" / "d.png", 3)
    first, second = project.add_pictures([tmp_path / "in" / "c\udcff.png", last])
    assert (first.name, second.name) == (None, "d")
    assert "not UTF-8" in str(first.error)
    assert "c" not in {p.name for p in project.state.pictures()}


def test_classes_keep_their_numbers(project: ReviewProject):
    project.add_references([reference("dirt"), reference("cell")])
    assert project.classes == ("cell", "dirt")
    assert project.library.names == ("cell", "dirt", "cell 2")
    project.keep_library(project.library.remove("cell").remove("cell 2"))
    assert project.classes == ("cell", "dirt")


def test_the_doubtful_come_first(project: ReviewProject, tmp_path: Path):
    list(
        project.add_pictures(
            [picture(tmp_path / "in" / f"{n}.png", 10 + i) for i, n in enumerate("cde")]
        )
    )
    for name, score in (("a", 0.9), ("b", 0.2), ("c", 0.5)):
        answer(project, name, score)
    project.state.keep_failure(project.state.picture("d").id, "broken")
    assert [p.name for p in project.by_doubt()] == ["d", "b", "c", "a", "e"]
    assert [p.name for p in project.by_doubt(["waiting"], most=2)] == ["b", "c"]


def test_accept_reject_and_undo(project: ReviewProject):
    answer(project, "a")
    answer(project, "b")
    project.accept(["a"], who="ada", note="good")
    project.reject(["b"], who="bob")
    assert [p.status for p in project.state.pictures()] == ["accepted", "rejected"]
    assert project.state.picture("a").who == "ada"
    project.undo(["a", "b"])
    assert [p.status for p in project.state.pictures()] == ["waiting", "waiting"]
    assert project.state.picture("a").who  # who is logged in


def test_nothing_is_accepted_if_one_cannot_be(project: ReviewProject):
    answer(project, "a")
    with pytest.raises(ConfigError, match="'b' has no mask to accept"):
        project.accept(["a", "b"])
    with pytest.raises(ConfigError, match="no picture 'x'"):
        project.accept(["a", "x"])
    assert project.state.picture("a").status == "waiting"


def test_fixed_mask_replaces_the_found_one(project: ReviewProject):
    answer(project, "a")
    drawn = np.zeros((16, 20), np.uint8)
    drawn[10:, 10:] = 5
    project.fix("a", {"cell": drawn}, who="ada")
    fixed = project.state.picture("a")
    assert (fixed.status, fixed.who) == ("fixed", "ada")
    np.testing.assert_array_equal(project.masks_of(fixed)["cell"], drawn > 0)
    project.accept(["a"])  # a drawn mask is accepted as it is
    assert project.state.picture("a").status == "fixed"
    project.fix("a", {"cell": drawn == 0})
    assert project.masks_of(project.state.picture("a"))["cell"].sum() == 16 * 20 - 60
    assert len(list((project.folder / "fixed").iterdir())) == 2  # the earlier one is kept
    project.undo(["a"])
    assert project.masks_of(project.state.picture("a"))["cell"].sum() == 36


def test_fixed_classes_do_not_overlap(project: ReviewProject):
    project.add_references([reference("dirt")])
    answer(project, "a")
    dirt = np.zeros((16, 20), bool)
    dirt[5:, :] = True
    project.fix("a", {"dirt": dirt})
    masks = project.masks_of(project.state.picture("a"))
    assert masks["dirt"].sum() == dirt.sum()
    assert masks["cell"].sum() == 18
    assert not (masks["cell"] & masks["dirt"]).any()


def test_a_picture_without_result_can_be_drawn(project: ReviewProject):
    project.fix("b", {"cell": np.eye(16, 20)})
    assert project.state.picture("b").status == "fixed"


def test_wrong_fixes_are_refused(project: ReviewProject):
    with pytest.raises(AnnotationError, match="16 x 20"):
        project.fix("a", {"cell": np.ones((3, 3))})
    with pytest.raises(ConfigError, match="no class 'dog': expected cell"):
        project.fix("a", {"dog": np.ones((16, 20))})
    with pytest.raises(ConfigError, match="No mask"):
        project.fix("a", {})
    assert project.state.picture("a").status == "new"
    assert not (project.folder / "fixed").exists()


def test_reviewed_pictures_become_references(project: ReviewProject):
    answer(project, "a")
    with pytest.raises(ConfigError, match="'a' is waiting"):
        project.use_as_references(["a"])
    project.accept(["a"])
    project.use_as_references(["a"])
    shown = project.library.entries[-1].reference
    assert (shown.kind, shown.exhaustive, shown.label) == ("mask", True, "cell")
    assert shown.positive.sum() == 36
    project.fix("b", {"cell": np.zeros((16, 20))})
    with pytest.raises(ConfigError, match="'b' shows no object"):
        project.use_as_references(["b"])


def test_one_project_for_a_folder(project: ReviewProject, tmp_path: Path):
    with pytest.raises(OutputError, match="already"):
        ReviewProject.create(project.folder)
    with pytest.raises(ConfigError, match="not a review project"):
        ReviewProject(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot be made"):
        ReviewProject.create(tmp_path / "file" / "project")
