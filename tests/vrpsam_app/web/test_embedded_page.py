"""What the page opens with, on the model that comes with the package."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import binary_closing, binary_fill_holes
from skimage import data

from vrpsam_app.image_files import read_image
from vrpsam_app.web import callbacks
from vrpsam_app.web.model import embedded_predictor
from vrpsam_app.web.session import Answers, opening_session


@pytest.fixture(scope="module")
def findings() -> dict[str, object]:
    session = opening_session()
    canvas = {"image": session.reference.id, "marks": [dict(mark) for mark in session.marks]}
    *_, last = callbacks.find(embedded_predictor(), session, Answers(), canvas, False, None)
    return {t.path.stem: last.answers.findings[t.id] for t in session.targets}


def target(name: str) -> NDArray[np.uint8]:
    (picture,) = (t for t in opening_session().targets if t.path.stem == name)
    return read_image(picture.path)


def solid(rough: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return binary_fill_holes(binary_closing(rough, iterations=3))


def iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float((a & b).sum() / (a | b).sum())


def test_coins_are_found_where_they_are(findings):
    plate = solid(target("coins-lighter") > 150)
    laid = np.abs(target("coins-on-a-table").astype(int) - data.coffee()).max(axis=-1)
    assert iou(findings["coins-lighter"].at_threshold(0.5).mask, plate) > 0.6
    assert iou(findings["coins-on-a-table"].at_threshold(0.5).mask, solid(laid > 40)) > 0.4


def test_the_cat_is_no_coin(findings):
    assert findings["coins-lighter"].present
    assert findings["coins-on-a-table"].present
    assert not findings["cat"].present
