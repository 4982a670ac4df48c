"""Names in the zip of results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vrpsam_app.objects.instances import ObjectOptions
from vrpsam_app.references import Reference
from vrpsam_app.web.result_files import ResultFiles


def test_pictures_of_one_name_are_told_apart_without_folders(tmp_path: Path, colour_segmenter: Any):
    image = np.full((20, 30, 3), 120, np.uint8)
    image[5:15, 8:20] = (220, 30, 30)
    reference = Reference.from_mask(image, image[..., 0] > 200)
    targets = [tmp_path / name for name in ("tmpq1/x.jpg", "tmpq1/x.tif", "tmpr2/x.jpg")]
    files = ResultFiles(
        tmp_path / "results", targets, ["object"], intensity_range=None, objects=ObjectOptions()
    )
    for target in targets:
        target.parent.mkdir(exist_ok=True)
        target.touch()
        files.add(target, image, [colour_segmenter.predict(image, [reference])], [reference])
    assert files.object_count == len(targets)
    written = {path.name for path in (tmp_path / "results" / "masks").iterdir()}
    assert written == {"x_jpg_mask.png", "x_tif_mask.png", "x_jpg-2_mask.png"}
