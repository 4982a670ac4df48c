from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import jaccard_score

from vrpsam_app.errors import ConfigError, ImageError
from vrpsam_app.evaluation.class_tally import ClassTally


def row(text: str) -> np.ndarray:
    return np.array([[c == "#" for c in text]])


def test_two_classes_by_hand():
    tally = ClassTally()
    tally.add("cat", row("##.."), row(".##."))  # 1 of 3; background 1 of 3
    tally.add("cat", row("#..."), row("#..."))  # 1 of 1; background 3 of 3
    tally.add("bus", row("####"), row("##.."))  # 2 of 4; background 0 of 2
    assert tally.names == ("cat", "bus")
    assert tally.iou_of("cat") == 2 / 4
    assert tally.iou_of("bus") == 2 / 4
    assert tally.mean_iou() == 0.5
    assert tally.fb_iou() == pytest.approx((4 / 8 + 4 / 8) / 2)
    assert tally.mean_iou(["bus"]) == 0.5
    assert tally.fb_iou(["bus"]) == pytest.approx((2 / 4 + 0 / 2) / 2)


def test_random_masks_with_ignored_pixels_agree_with_scikit_learn():
    rng = np.random.default_rng(7)
    tally, kept = ClassTally(), {name: ([], []) for name in "abc"}
    for episode in range(12):
        name = "abc"[episode % 3]
        found, truth = rng.random((2, 30, 40)) < rng.uniform(0.1, 0.9)
        ignore = rng.random((30, 40)) < 0.2
        tally.add(name, found, truth, ignore)
        for pixels, mask in zip(kept[name], (truth, found), strict=True):
            pixels.append(mask[~ignore])
    joined = {name: [np.concatenate(p) for p in pair] for name, pair in kept.items()}
    ious = [jaccard_score(*pair) for pair in joined.values()]
    assert tally.mean_iou() == pytest.approx(np.mean(ious))
    both = [np.concatenate(side) for side in zip(*joined.values(), strict=True)]
    assert tally.fb_iou() == pytest.approx(jaccard_score(*both, average=None).mean())


def test_a_class_never_there_nor_found_counts_as_missed():
    tally = ClassTally()
    tally.add("cat", row("...."), row("...."))
    assert tally.mean_iou() == 0
    assert tally.fb_iou() == 0.5


def test_ignored_all_over_counts_nothing():
    tally = ClassTally()
    tally.add("cat", row("##.."), row(".##."), row("####"))
    assert tally.mean_iou() == tally.fb_iou() == 0


def test_what_was_not_counted_is_named():
    tally = ClassTally()
    with pytest.raises(ConfigError, match="any class"):
        tally.mean_iou()
    tally.add("cat", row("#"), row("#"))
    with pytest.raises(ConfigError, match="'dog'"):
        tally.fb_iou(["cat", "dog"])
    with pytest.raises(ImageError):
        tally.add("cat", row("##"), row("#"))
