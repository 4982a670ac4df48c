"""Pairs of squashed pictures: drawn in the published order, always the same, showing the class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vrpsam_app.data.folder_dataset import FolderDataset
from vrpsam_app.data.labelled_dataset import LabelledImage
from vrpsam_app.data.whole_pictures import WholePictures, squashed
from vrpsam_app.errors import ConfigError


@pytest.fixture
def pictures(tmp_path: Path, write_folder: Callable[..., Path]) -> FolderDataset:
    """Five pictures with a large thing; a small one in the first two, a speck in the last two."""
    made = {}
    for k in range(5):
        mask = np.zeros((60, 90), np.uint8)
        mask[10:40, 10:40] = 1
        if k < 2:
            mask[45:55, 60:80] = 2
        if k > 2:
            mask[1, 71] = 3
        made[f"p{k}"] = (np.full((60, 90, 3), 40 * k, np.uint8), mask)
    meta = {"kind": "semantic", "classes": {"1": "large", "2": "small", "3": "speck"}}
    return FolderDataset.open(write_folder(tmp_path / "things", made, meta=meta))


def test_a_class_first_then_two_pictures_with_it(pictures: FolderDataset) -> None:
    source = WholePictures(pictures, side=32, least_area=20)
    pairs = [source.draw(0, k)[0] for k in range(200)]
    classes = Counter(pair.class_id for pair in pairs)
    assert set(classes) == {1, 2}
    assert 60 < classes[2] < 140  # as often, though fewer pictures show it
    for pair in pairs:
        assert pair.reference != pair.target
        assert {pair.reference, pair.target} <= {0, 1} or pair.class_id == 1
    assert pairs[17] == WholePictures(pictures, side=32, least_area=20).draw(0, 17)[0]
    assert [source.draw(1, k)[0] for k in range(20)] != pairs[:20]


def test_each_picture_is_target_once_an_epoch(pictures: FolderDataset) -> None:
    source = WholePictures(pictures, side=32, order="picture", least_area=20)
    targets = [source.draw(3, k)[0].target for k in range(15)]
    for epoch in range(3):
        assert sorted(targets[5 * epoch : 5 * epoch + 5]) == list(range(5))
    assert targets[:5] != targets[5:10] or targets[5:10] != targets[10:]


def test_what_vanishes_in_the_square_is_not_asked_for(pictures: FolderDataset) -> None:
    source = WholePictures(pictures, side=32)
    for k in range(60):
        pair, _ = source.draw(0, k)
        assert pair.class_id != 3  # one pixel, between those that are sampled
    (only_specks,) = ({k: v for k, v in source._pools.items() if k[1] == 3},)
    source._pools = only_specks
    with pytest.raises(ConfigError, match="show nothing of their class at 32 x 32"):
        source.draw(0, 0)


def test_without_a_second_picture_there_is_no_pair(pictures: FolderDataset) -> None:
    with pytest.raises(ConfigError, match="no class that two pictures"):
        WholePictures(pictures, least_area=5000)


def test_labels_are_sampled_as_torch_does() -> None:
    import torch

    rng = np.random.default_rng(0)
    classes = rng.integers(0, 5, (37, 61)).astype(np.int32)
    picture = LabelledImage(
        "p", np.zeros((37, 61, 3), np.uint8), classes, classes, ("a", "b", "c", "d"), classes
    )
    small = squashed(picture, 24)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(classes)[None, None].float(), (24, 24), mode="nearest"
    )
    for labels in (small.classes, small.instances, small.ignored):
        np.testing.assert_array_equal(labels, expected[0, 0].numpy())
    assert small.image.shape == (24, 24, 3)


def test_pictures_are_read_once_while_there_is_room(
    pictures: FolderDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = WholePictures(pictures, side=32)
    assert source.read(0) is source.read(0)
    monkeypatch.setattr("vrpsam_app.data.whole_pictures.KEPT_BYTES", 32 * 32 * 15)
    source.read(1)
    assert list(source._kept) == [1]
