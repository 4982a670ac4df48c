"""The page on the product's own predictor; trained weights do not matter for what is tested."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

from vrpsam_app.image_files import decode_png, read_image
from vrpsam_app.web import callbacks, downloads
from vrpsam_app.web.session import Answers


@pytest.fixture(scope="module")
def predictor():
    import torch

    from vrpsam_app.config import EMBEDDED_CONFIG
    from vrpsam_app.models.build import build_model
    from vrpsam_app.predictor import VRPSAMPredictor

    torch.manual_seed(0)
    return VRPSAMPredictor(build_model(EMBEDDED_CONFIG).eval(), device=torch.device("cpu"))


def test_page_archive_and_python_agree(predictor, session, canvas_with, red_box):
    canvas = canvas_with(red_box)
    target = session.targets[0]
    callbacks.prepare(predictor, session, target.id)
    answers = callbacks.preview(predictor, session, Answers(), canvas, False, target.id)
    archive = downloads.save_archive(predictor, session, canvas, False, 0.5)
    reference = callbacks.marked_reference(session, canvas, False)
    for each in session.targets:
        prediction = predictor.predict(read_image(each.path), reference)
        with zipfile.ZipFile(archive) as bundle:
            saved = decode_png(bundle.read(f"{each.path.stem}_mask.png"))
        np.testing.assert_array_equal(saved > 0, prediction.mask)
        if each is target:
            finding = answers.findings[target.id]
            np.testing.assert_array_equal(finding.at_threshold(0.5).mask, prediction.mask)
            assert (finding.score, finding.presence) == (prediction.score, prediction.presence)
