"""segment-anything's modules come without what they do not need, and do not stand in its way."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from vrpsam_app.models.sam_modules import sam_modules

FIRST_MASK = """
import sys
import numpy as np
from vrpsam_app import Box, Reference, VRPSAMPredictor
image = np.zeros((40, 40), np.uint8)
shown = Reference.from_annotations(image, [Box(4, 4, 20, 20)])
VRPSAMPredictor.from_pretrained(device="cpu").predict(image, shown)
for name in ("timm", "torch._dynamo", "torchvision", "skimage", "pandas", "matplotlib", "dask"):
    assert name not in sys.modules, f"{name} was imported for a first mask"
"""
AFTERWARDS = """
import sys
from vrpsam_app.models.sam_modules import sam_modules
modules = sam_modules()
assert "segment_anything" not in sys.modules
from vrpsam_app.models.torchvision_ops import import_torchvision
import_torchvision()
from segment_anything import SamPredictor, sam_model_registry
from segment_anything.modeling import Sam
assert Sam is modules.Sam
assert "vit_b" in sam_model_registry
"""


@pytest.mark.parametrize("script", [FIRST_MASK, AFTERWARDS], ids=["first mask", "afterwards"])
def test_in_a_fresh_interpreter(script: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_missing_package_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in sys.modules if n.partition(".")[0] == "segment_anything"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="segment_anything is not installed"):
        sam_modules.__wrapped__()
