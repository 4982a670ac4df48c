from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vrpsam_app.annotations import Box, Point
from vrpsam_app.errors import AnnotationError, ConfigError
from vrpsam_app.objects.instances import (
    ObjectOptions,
    filter_objects,
    instances_of,
    mean_inside,
    typical_diameter,
    width_of,
    without_small_pieces,
)
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import Prediction
from vrpsam_app.stacks.stack import PixelSize

COMPONENTS = ObjectOptions(method="components")


def discs(*circles: tuple[float, float, float], hw: tuple[int, int] = (60, 90)) -> np.ndarray:
    row, col = np.indices(hw)
    return np.any([np.hypot(row - r, col - c) <= radius for r, c, radius in circles], axis=0)


def prediction_of(mask: np.ndarray, probability: np.ndarray | None = None) -> Prediction:
    sure = mask.astype(np.float32) if probability is None else probability
    return Prediction(mask, sure, 0.9, 1.0, True, sure, "cell", {})


TOUCHING = discs((30, 25, 12), (30, 45, 12), (12, 75, 8))


def test_parts_that_hang_together_are_objects():
    labels = instances_of(TOUCHING, COMPONENTS)
    assert labels.dtype == np.int32
    assert labels.max() == 2
    assert np.array_equal(labels > 0, TOUCHING)


def test_a_corner_connects_only_if_asked():
    mask = np.eye(4, dtype=bool)
    assert instances_of(mask, COMPONENTS).max() == 4
    assert instances_of(mask, replace(COMPONENTS, diagonal=True)).max() == 1


def test_touching_objects_are_cut_at_their_neck():
    labels = instances_of(TOUCHING)
    assert labels.max() == 3
    assert np.array_equal(labels > 0, TOUCHING)
    assert labels[30, 25] != labels[30, 45]
    cut = np.flatnonzero(np.diff(labels[30, 13:58])) + 13
    assert cut.tolist() == [34] or cut.tolist() == [35]


def test_a_prediction_brings_mask_and_probability():
    blurred = np.where(TOUCHING, 0.9, 0.1).astype(np.float32)
    blurred[:, 34:36] *= 0.6
    found = prediction_of(blurred > 0.5, blurred)
    assert instances_of(found, ObjectOptions(method="probability")).max() == 3
    assert instances_of(found, ObjectOptions(min_score=0.95)).max() == 0
    assert instances_of(found, ObjectOptions(min_score=0.5)).max() == 3


def test_objects_that_a_method_told_apart_are_not_cut_again():
    own = np.zeros(TOUCHING.shape, np.int32)
    own[TOUCHING] = 9
    own[12, 75] = 4
    found = replace(prediction_of(TOUCHING), instance_labels=own)
    labels = instances_of(found)
    assert np.unique(labels).tolist() == [0, 1, 2]
    assert labels[12, 75] == 1
    assert instances_of(found, ObjectOptions(min_area=2)).max() == 1


def test_masks_are_anything_that_is_not_zero():
    numbers = TOUCHING * np.uint8(255)
    assert np.array_equal(instances_of(numbers), instances_of(TOUCHING))
    assert instances_of(np.zeros((5, 6))).max() == 0
    with pytest.raises(AnnotationError, match=r"shape \(3,\)"):
        instances_of(np.zeros(3))


def test_size_and_border_decide_who_stays():
    mask = discs((5, 5, 8), (30, 40, 10), (50, 70, 3))
    areas = np.bincount(instances_of(mask, COMPONENTS).ravel())[1:]
    kept = {
        "min-area=100": [areas[0], areas[1]],
        "max-area=300": [areas[0], areas[2]],
        "clear-border": [areas[1], areas[2]],
        "min-area=100,clear-border": [areas[1]],
    }
    for text, expected in kept.items():
        labels = instances_of(mask, ObjectOptions.from_text(f"components,{text}"))
        assert np.bincount(labels.ravel())[1:].tolist() == expected


def test_limits_may_be_in_a_unit_of_length():
    mask = discs((20, 20, 10), (20, 60, 5))
    options = ObjectOptions.from_text("components,min-area=40,unit=um")
    size = PixelSize(500, 500, unit="nm")  # the large one has 79 um2, the small one 20
    assert instances_of(mask, options, pixel_size=size).max() == 1
    with pytest.raises(ConfigError, match="given in um, but the pixel size is unknown"):
        instances_of(mask, options)
    converted = ObjectOptions(diameter=4, min_area=8, max_area=20, unit="um").in_pixels(size)
    assert (converted.diameter, converted.min_area, converted.max_area) == (8, 32, 80)
    assert converted.unit == "px"
    assert converted.in_pixels(size) is converted


def test_specks_are_left_out_where_the_size_of_an_object_is_known():
    mask = discs((20, 20, 10), (20, 60, 2))
    assert instances_of(mask, COMPONENTS).max() == 2
    assert instances_of(mask, COMPONENTS, diameter=20).max() == 1
    assert instances_of(mask, replace(COMPONENTS, diameter=20)).max() == 1
    assert instances_of(mask, replace(COMPONENTS, diameter=20, min_area=0)).max() == 2
    assert ObjectOptions(diameter=20, max_area=9).resolved().min_area == 9


def test_filters_renumber_and_scores_may_come_from_elsewhere():
    labels = np.array([[3, 3, 0, 8], [0, 5, 0, 8]])
    kept = filter_objects(labels, ObjectOptions(min_score=0.5), scores=np.array([0.9, 0.1, 0.5]))
    assert kept.tolist() == [[1, 1, 0, 2], [0, 0, 0, 2]]
    by_probability = filter_objects(
        labels, ObjectOptions(min_score=0.5), probability=np.where(labels == 5, 0.9, 0.2)
    )
    assert by_probability.tolist() == [[0, 0, 0, 0], [0, 1, 0, 0]]
    with pytest.raises(ConfigError, match="Min-score needs probabilities"):
        filter_objects(labels, ObjectOptions(min_score=0.5))


def test_means_inside_are_in_the_order_of_numbers():
    values = np.array([[1.0, 3.0], [5.0, 9.0]])
    assert mean_inside([[7, 7], [0, 2]], values).tolist() == [9.0, 2.0]
    with pytest.raises(AnnotationError, match="2 x 3"):
        mean_inside([[7, 7], [0, 2]], np.zeros((2, 3)))


def test_widths_are_those_of_typical_objects():
    assert width_of(discs((30, 30, 10))) == pytest.approx(20, abs=1.5)
    # Neither specks nor touching change it.
    crowd = TOUCHING | discs((50, 10, 1), (55, 20, 1), (55, 30, 1), (50, 80, 1))
    assert width_of(crowd) == pytest.approx(25, abs=2)
    assert width_of(np.zeros((4, 4))) == 1
    assert width_of(np.ones((4, 9))) == 4


def test_references_tell_how_wide_an_object_is():
    image = np.zeros((60, 90), np.uint8)
    masked = Reference.from_mask(image, discs((30, 30, 10)))
    boxed = Reference.from_annotations(image, [Box(5, 5, 35, 45)])
    clicked = Reference.from_annotations(image, [Point(5, 5)])
    assert typical_diameter([masked]) == pytest.approx(20, abs=1.5)
    assert typical_diameter([boxed]) == pytest.approx(30, abs=1)
    assert typical_diameter([clicked, masked.as_not_this()]) is None
    assert typical_diameter([clicked, masked]) == typical_diameter([masked])


def test_small_pieces_of_a_mask_are_left_out():
    mask = np.zeros((8, 8), np.bool_)
    mask[0:2, 0:3] = mask[2, 3] = mask[6, 5:8] = True  # (2, 3) touches at a corner only
    assert without_small_pieces(mask, 1) is mask
    kept = without_small_pieces(mask, 4)
    assert kept.dtype == np.bool_
    np.testing.assert_array_equal(np.argwhere(kept).max(axis=0), [1, 2])
    assert kept.sum() == 6
    assert without_small_pieces(mask, 3).sum() == 9
