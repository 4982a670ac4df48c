from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vrpsam_app.annotations import Point
from vrpsam_app.errors import AnnotationError
from vrpsam_app.image_files import read_image, write_mask
from vrpsam_app.references import Reference
from vrpsam_app.review.project import ReviewProject
from vrpsam_app.web.opened_finding import OpenedFinding

LABELS = ("cell", "dust")


@pytest.fixture
def project(session, tmp_path) -> ReviewProject:
    """A project with two classes and one picture, on which one class was drawn."""
    made = ReviewProject.create(tmp_path / "project")
    target = session.targets[0]
    list(made.add_pictures([target.path]))
    image = read_image(target.path)
    made.add_references(
        [Reference.from_annotations(image, [Point(9, 9)], label=label) for label in LABELS]
    )
    made.fix("first", {"cell": drawn(target.hw)})
    return made


@pytest.fixture
def question(session, asked):
    """What the page asks with a mark of each class."""
    image, target = session.marked[0].id, session.targets[0].id
    mark = {"type": "point", "xy": [9, 9]}
    references = [{"image": image, "label": label, "marks": [mark]} for label in LABELS]
    corrections = {target: {"cell": [mark]}}
    return asked(canvas={"references": references}, corrections=corrections)


def drawn(hw: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(hw, bool)
    mask[20:60, 50:90] = True
    return mask


@pytest.mark.parametrize("threshold", [0.01, 0.5, 0.99])
def test_masks_are_the_same_at_every_threshold(project, session, question, threshold):
    target = session.targets[0]
    picture = project.state.picture("first")
    specks = {"cell": 12.0, "dust": "many"}
    finding = OpenedFinding.read(project, picture, target, question, specks)
    assert [(c.label, c.present, c.speck) for c in finding.classes] == [
        ("cell", True, 12.0),
        ("dust", False, 0.0),
    ]
    assert finding.answers(question, target)
    assert not finding.answers(replace(question, corrections={}), target)
    assert not finding.answers(replace(question, references=question.references[:1]), target)
    cell, dust = finding.at_full_size(threshold).values()
    np.testing.assert_array_equal(cell.mask, drawn(target.hw))
    assert dust.mask.shape == target.hw
    assert not dust.mask.any()


def test_a_mask_of_another_size_is_refused(project, session, question):
    picture = project.state.picture("first")
    (path,) = picture.masks.values()
    write_mask(project.folder / Path(path), np.ones((10, 10)), overwrite=True)
    with pytest.raises(AnnotationError, match="10 x 10"):
        OpenedFinding.read(project, picture, session.targets[0], question, {})
