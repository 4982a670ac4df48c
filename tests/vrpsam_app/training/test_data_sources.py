"""The part to look at while a run learns: there, not there, or there and broken."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vrpsam_app.errors import VRPSAMError
from vrpsam_app.training.data_sources import GroupData, validation_sources
from vrpsam_app.training.paper_training import PairData


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[dict[str, list[str]]], Path]:
    """Write four pictures of a block, with lists of those to learn from and to measure on."""

    def write(splits: dict[str, list[str]]) -> Path:
        for part in ("images", "masks"):
            (tmp_path / part).mkdir()
            for k in range(4):
                block = np.zeros((40, 40), np.uint8)
                block[5:20, 5 + k : 25] = 1
                Image.fromarray(block).save(tmp_path / part / f"p{k}.png")
        (tmp_path / "splits.json").write_text(json.dumps(splits))
        return tmp_path

    return write


def sources(root: Path) -> list[object]:
    """What is looked at, by groups of views and by pairs of whole pictures."""
    pairs = PairData.of(str(root)).tested(32)
    return [*validation_sources([GroupData.of(str(root))]), *([] if pairs is None else [pairs])]


@pytest.mark.parametrize("splits", [{}, {"val": []}])
def test_data_may_have_no_such_part(folder: Callable, splits: dict[str, list[str]]) -> None:
    assert sources(folder({"train": ["p0", "p1"], **splits})) == []


def test_a_part_that_is_there_is_looked_at(folder: Callable) -> None:
    assert len(sources(folder({"train": ["p0", "p1"], "val": ["p2", "p3"]}))) == 2


def test_a_part_that_is_misspelt_is_not_passed_over(folder: Callable) -> None:
    root = folder({"train": ["p0", "p1"], "val": ["p3", "p9"]})
    with pytest.raises(VRPSAMError, match=r"\['p9'\] under 'val'"):
        validation_sources([GroupData.of(str(root))])
    with pytest.raises(VRPSAMError, match=r"\['p9'\] under 'val'"):
        PairData.of(str(root)).tested(32)
