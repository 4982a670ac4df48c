from __future__ import annotations

import numpy as np

from vrpsam_app.annotations import annotations_from_json, rasterize
from vrpsam_app.web.examples import coin_example


def test_marked_box_holds_one_coin_and_nothing_of_the_next():
    example = coin_example()
    marked = rasterize(annotations_from_json(list(example.marks), (303, 384)), (303, 384)).positive
    bright = example.reference > 105
    inside = example.reference[marked]
    assert 0.45 < (inside > 105).mean() < 0.85
    rows, columns = np.nonzero(marked)
    frame = np.zeros_like(marked)
    frame[rows.min() - 1 : rows.max() + 2, columns.min() - 1 : columns.max() + 2] = True
    assert (bright & frame & ~marked).mean() < 1e-3


def test_pictures_are_the_same_every_time_and_differ_in_kind():
    first, second = coin_example(), coin_example()
    for name, image in first.targets.items():
        assert image.dtype == np.uint8
        np.testing.assert_array_equal(image, second.targets[name])
    shapes = [image.shape for image in first.targets.values()]
    assert shapes == [(244, 614), (400, 600), (400, 600)]


def test_coins_lie_in_the_grass_and_none_in_the_last_picture():
    targets = coin_example().targets
    mirrored = targets["grass"].mean(), targets["coins-in-the-grass"].mean()
    assert mirrored[1] > mirrored[0] + 5
    bright = {name: (image > 140).mean() for name, image in targets.items()}
    assert bright["coins-in-the-grass"] > 0.02
    assert bright["grass"] < 0.001
