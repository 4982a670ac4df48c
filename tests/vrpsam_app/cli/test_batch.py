"""``vrpsam batch``, from a folder of pictures to a data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vrpsam_app.data.folder_dataset import FolderDataset
from vrpsam_app.errors import OutputError
from vrpsam_app.review.project import ReviewProject

RED = ("--reference", "ref.png", "--box", "8,5,18,15", "--label", "red")

pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture
def project(vrpsam) -> ReviewProject:
    outcome = vrpsam("batch", "init", "cells", "a.png", "b.png", *RED)
    assert outcome.code == 0, outcome.err
    assert outcome.out == "2 pictures added, 1 reference in cells\n"
    return ReviewProject("cells")


def test_from_pictures_to_data_set(vrpsam, project: ReviewProject):
    outcome = vrpsam("batch", "run", "cells", "--store", "off")
    assert outcome.code == 0, outcome.err
    assert outcome.out.splitlines() == [
        "a: waiting, certainty 0.50: present, 4.2 % of pixels",
        "b: waiting, certainty 1.00: not present, 0.0 % of pixels",
        "2 pictures: 2 waiting",
    ]
    assert vrpsam("batch", "run", "cells").out == "2 pictures: 2 waiting\n"
    listed = vrpsam("batch", "list", "cells", "--most", 1).out.splitlines()
    assert listed[0].startswith("a: waiting")
    assert vrpsam("batch", "accept", "cells", "--from-score", 0.9).out.endswith(
        "1 waiting, 1 accepted\n"
    )
    mask = np.zeros((40, 60), np.uint8)
    mask[20:30] = 1
    Image.fromarray(mask).save("drawn.png")
    outcome = vrpsam("batch", "fix", "cells", "a", "--with-mask", "drawn.png", "--who", "ada")
    assert outcome.out == "a: fixed by ada: 25.0 % of pixels\n"
    assert vrpsam("batch", "list", "cells", "--status", "fixed").out.startswith(outcome.out)
    outcome = vrpsam("batch", "export", "cells", "--out", "data", "--license", "cc0-1.0")
    assert outcome.code == 0, outcome.err
    data = FolderDataset.open("data")
    assert data.names == ("a", "b")
    assert (data.load(0).classes == 1).sum() == 600
    assert "Decided by" in Path("data/README.md").read_text(encoding="utf-8")


def test_reject_undo_and_use(vrpsam, project: ReviewProject):
    vrpsam("batch", "run", "cells")
    vrpsam("batch", "accept", "cells", "a")
    assert vrpsam("batch", "reject", "cells", "b", "--note", "blurred").out == (
        "2 pictures: 1 accepted, 1 rejected\n"
    )
    assert project.state.picture("b").note == "blurred"
    assert vrpsam("batch", "undo", "cells", "b").out == "2 pictures: 1 waiting, 1 accepted\n"
    outcome = vrpsam("batch", "add", "cells", "--use", "a")
    assert outcome.out == "0 pictures added, 2 references in cells\n"
    assert vrpsam("batch", "run", "cells", "--redo", "accepted").out.count("waiting, cert") == 2


def test_only_a_project_that_is_there_has_pictures_to_use(vrpsam, project: ReviewProject):
    assert vrpsam("batch", "init", "other", "a.png", "--use", "b").code == 2
    assert not Path("other").exists()
    before = len(project.library)
    outcome = vrpsam("batch", "add", "cells", *RED, "--use", "a")
    assert outcome.code == 2
    assert "accept or fix it" in outcome.err
    assert len(project.library) == before


@pytest.mark.parametrize("was_there", [False, True])
def test_a_project_that_could_not_be_filled_is_none(vrpsam, monkeypatch, was_there: bool):
    def fail(*_: object) -> None:
        raise OutputError("no space is left")

    if was_there:
        Path("cells").mkdir()
        Path("cells/mine.txt").write_text("mine", encoding="utf-8")
    with monkeypatch.context() as broken:
        broken.setattr(ReviewProject, "add_references", fail)
        assert vrpsam("batch", "init", "cells", "a.png", *RED).code == 2
    left = {path.name for path in Path("cells").glob("*")}
    assert left == ({"mine.txt"} if was_there else set())
    assert vrpsam("batch", "init", "cells", "a.png", *RED).code == 0


def test_broken_pictures_are_named(vrpsam, project: ReviewProject):
    Path("c.png").write_bytes(b"broken")
    outcome = vrpsam("batch", "add", "cells", "c.png", "a.png")
    assert outcome.code == 1
    assert "c.png" in outcome.err
    assert "a.png: has the same pixels as a, left out" in outcome.out
    outcome = vrpsam("batch", "run", "cells")
    assert outcome.code == 1
    assert outcome.err.startswith("c: failed: ")
    assert outcome.out.endswith("3 pictures: 1 failed, 2 waiting\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("init", "other"), "give the pictures"),
        (("init", "cells", "a.png"), "a review project already"),
        (("init", "other", "a.png", "--reference", "ref.png"), "has no mark"),
        (("add", "cells"), "give pictures"),
        (("run", "none"), "not a review project"),
        (("run", "cells", "--threshold", "2"), "--threshold is 2.0"),
        (("accept", "cells"), "give the names"),
        (("accept", "cells", "a"), "has no mask to accept"),
        (("reject", "cells"), "give the names"),
        (("fix", "cells", "a"), "give either --with-mask"),
        (("fix", "cells", "a", "--with-mask", "b.png"), "30 x 50"),
        (("fix", "cells", "a", "--point", "900,3"), "outside"),
        (("export", "cells", "--out", "data"), "no picture that is accepted or fixed"),
    ],
)
def test_wrong_use_is_explained(vrpsam, project: ReviewProject, arguments, message: str):
    outcome = vrpsam("batch", *arguments)
    assert outcome.code == 2
    assert message in outcome.err
    assert not Path("other").exists()
    assert not Path("data").exists()
