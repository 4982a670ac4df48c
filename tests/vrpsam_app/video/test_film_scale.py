from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from vrpsam_app.annotations import Box, Mask, Point
from vrpsam_app.references import Reference
from vrpsam_app.tiles.grid import TileGrid
from vrpsam_app.tiles.plan import TilePlan
from vrpsam_app.video.film_scale import at_film_scale

IMAGE = np.random.default_rng(0).integers(0, 60_000, (40, 60), np.uint16)


def planned(reference: Reference, *, whole: bool) -> TilePlan:
    return TilePlan(None if whole else TileGrid.over((99, 99), 40, 8), (reference,), None)


@pytest.mark.parametrize("ratio", [0.1, 0.25, 1.5, 4.0])
def test_marks_grow_and_shrink_with_their_picture(ratio: float):
    marks = [Box(8, 12, 28, 44), Point(4, 4, positive=False)]
    reference = Reference.from_annotations(IMAGE, marks, label="cell", exhaustive=True)
    (scaled,) = at_film_scale(planned(reference, whole=False), ratio)
    assert scaled.positive.shape == (round(40 * ratio), round(60 * ratio))
    assert scaled.positive.sum() == pytest.approx(20 * 32 * ratio**2, rel=0.1)
    assert scaled.negative.any()
    assert not (scaled.positive & scaled.negative).any()
    assert scaled.image.mean() == pytest.approx(IMAGE.mean(), rel=0.05)
    assert (scaled.label, scaled.kind, scaled.exhaustive) == ("cell", "box", True)


def test_small_marks_do_not_vanish():
    reference = Reference.from_annotations(IMAGE, [Point(20, 30, radius=1)])
    (scaled,) = at_film_scale(planned(reference, whole=False), 0.1)
    assert 1 <= scaled.positive.sum() <= 4
    (against,) = at_film_scale(planned(reference.as_not_this(), whole=False), 0.1)
    assert against.is_not_this


@pytest.mark.parametrize("ratio", [0.2, 0.25, 0.3, 0.4, 0.5, 1.7, 6.0])
def test_clicks_beside_large_marks_stay(ratio: float):
    image = np.zeros((200, 200), np.uint8)
    found, against = np.zeros((2, 200, 200), bool)
    found[100:140, 100:140] = against[150:180, 20:50] = True
    against[[61, 183], [62, 190]] = True
    clicked = Reference.from_annotations(image, [Mask(found), Point(20, 21)])
    reference = replace(clicked, negative=against)
    (scaled,) = at_film_scale(planned(reference, whole=False), ratio)
    for marks, areas in ((scaled.positive, (1600, 12)), (scaled.negative, (900, 1, 1))):
        parts, _ = ndimage.label(marks, np.ones((3, 3)))
        large, *small = sorted(np.bincount(parts.ravel())[1:], reverse=True)
        assert large == pytest.approx(areas[0] * ratio**2, rel=0.15)
        assert len(small) == len(areas) - 1
        assert all(area <= max(4, 1.5 * areas[1] * ratio**2) for area in small)


def test_beside_whole_frames_a_reference_stays():
    reference = Reference.from_annotations(IMAGE, [Point(20, 30)])
    assert at_film_scale(planned(reference, whole=True), 0.5) == (reference,)
