"""What the page opens with, on the model that comes with the package."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import binary_closing, binary_fill_holes, binary_opening

from vrpsam_app.image_files import read_image
from vrpsam_app.web import callbacks
from vrpsam_app.web.inquiry import Inquiry
from vrpsam_app.web.line import Line
from vrpsam_app.web.marked import read_page
from vrpsam_app.web.model import embedded_predictor
from vrpsam_app.web.session import opening_references, opening_session


@pytest.fixture(scope="module")
def findings() -> dict[str, object]:
    session = opening_session()
    asked = read_page(session, {"references": opening_references()}, {})
    *_, last = callbacks.find(Inquiry(embedded_predictor(), Line(), session, asked))
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
    laid = binary_opening(solid(target("coins-in-the-grass") > 110), iterations=6)
    assert iou(findings["coins-lighter"].at_threshold(0.5).predictions["coin"].mask, plate) > 0.75
    assert (
        iou(findings["coins-in-the-grass"].at_threshold(0.5).predictions["coin"].mask, laid) > 0.6
    )


def test_there_are_no_coins_in_the_grass_alone(findings):
    assert findings["coins-lighter"].present
    assert findings["coins-in-the-grass"].present
    assert not findings["grass"].present
