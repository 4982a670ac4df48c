"""Pictures full of awkward objects: holes, pieces, corners that touch, single pixels, borders."""

from __future__ import annotations

import numpy as np
import pytest

from vrpsam_app.exchange.object_plane import ObjectPlane

CLASSES = {2: "nucleus", 3: "debris", 5: "nucleus", 7: "debris", 11: "nucleus", 40: "nucleus"}


def awkward_labels() -> np.ndarray:
    labels = np.zeros((24, 31), np.int32)
    labels[2:9, 3:10] = 2
    labels[4:7, 5:8] = 0  # a hole
    labels[5, 6] = 3  # and an object of one pixel in it
    labels[0:3, 14:18] = 5  # at the border, in two pieces
    labels[10:13, 25:31] = 5
    labels[12, 3] = labels[13, 4] = labels[14, 5] = 7  # joined at corners only
    labels[16:24, 0:12] = 11  # in a corner of the picture
    labels[18:21, 2:5] = labels[19, 8] = 0
    labels[21, 5] = labels[20, 6] = 0  # holes that touch at a corner
    labels[15:22, 16:27] = 40
    labels[17, 16:20] = 0  # a bay
    return labels


@pytest.fixture
def plane() -> ObjectPlane:
    return ObjectPlane(awkward_labels(), "cells.tif", CLASSES, {2: 0.75, 40: 0.5})


@pytest.fixture
def second_plane() -> ObjectPlane:
    """A picture of another size with objects that touch each other."""
    rng = np.random.default_rng(4)
    labels = np.kron(rng.integers(0, 5, (6, 5)), np.ones((3, 2), int)).astype(np.int32)
    return ObjectPlane(labels, "more.png", {1: "nucleus", 2: "debris"})


@pytest.fixture
def empty_plane() -> ObjectPlane:
    return ObjectPlane(np.zeros((9, 8), np.int32), "none.png")
