from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from vrpsam_app.errors import ObjectFileError, OutputError
from vrpsam_app.exchange.labelme import read_labelme, write_labelme


def painted_as_labelme_does(document: dict) -> np.ndarray:
    """Paint masks by LabelMe's rule: both corners are pixels of the mask."""
    labels = np.zeros((document["imageHeight"], document["imageWidth"]), int)
    for shape in document["shapes"]:
        assert shape["shape_type"] == "mask"
        (x1, y1), (x2, y2) = np.array(shape["points"]).astype(int)
        picture = Image.open(io.BytesIO(base64.b64decode(shape["mask"])))
        labels[y1 : y2 + 1, x1 : x2 + 1][np.asarray(picture) > 0] = shape["group_id"]
    return labels


def test_masks_are_painted_where_they_were(tmp_path, plane):
    document = json.loads(write_labelme(tmp_path / "cells.json", plane).read_text())
    assert np.array_equal(painted_as_labelme_does(document), plane.labels)
    assert document["imagePath"] == "cells.tif"
    assert [s["label"] for s in document["shapes"]] == [*plane.classes.values()]


@pytest.mark.parametrize("polygons", [False, True])
def test_what_was_written_reads_back_equal(tmp_path, plane, polygons):
    read = read_labelme(write_labelme(tmp_path / "cells.json", plane, polygons=polygons))
    assert np.array_equal(read.labels, plane.labels)
    assert dict(read.classes) == dict(plane.classes)
    assert read.name == "cells.tif"


def test_pictures_without_objects_are_kept(tmp_path, empty_plane):
    read = read_labelme(write_labelme(tmp_path / "a.json", empty_plane))
    assert read.hw == empty_plane.hw
    assert not read.labels.any()


def test_what_people_draw_is_read(tmp_path):
    def drawn(kind: str, points: list, label: str = "cell") -> dict:
        return {"label": label, "points": points, "shape_type": kind, "group_id": None}

    document = {
        "imagePath": "folder\\cells.jpg",
        "imageHeight": 20,
        "imageWidth": 30,
        "shapes": [
            drawn("polygon", [[1, 1], [6, 1], [6, 5], [1, 5]]),
            drawn("rectangle", [[14, 9], [9, 3]]),
            drawn("circle", [[22, 12], [26, 12]], "round"),
            drawn("point", [[3, 3]]),
            drawn("linestrip", [[0, 0], [9, 9]]),
        ],
    }
    (tmp_path / "a.json").write_text(json.dumps(document))
    read = read_labelme(tmp_path / "a.json")
    assert read.name == "cells.jpg"
    assert read.counts.pixels.tolist()[:2] == [20, 30]
    assert read.counts.pixels[2] == pytest.approx(np.pi * 16, rel=0.05)
    assert [read.class_of(n) for n in (1, 2, 3)] == ["cell", "cell", "round"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.pop("shapes"), "KeyError"),
        (lambda d: d.update(imageHeight="a"), "above 0"),
        (lambda d: d["shapes"][1].update(points=[[3]]), "shape|Error"),
        (lambda d: d["shapes"][1].update(mask="!"), "shape 1 has a mask"),
        (lambda d: d["shapes"][1].update(mask="AAAA"), "shape 1 has a mask"),
        (lambda d: d["shapes"][1].update(points=[[31, 5], [31, 5]]), "shape 1 does not lie"),
        (
            lambda d: d["shapes"][1].update(
                shape_type="polygon", points=[[80, 5], [90, 5], [90, 8]]
            ),
            "shape 1 does not lie",
        ),
    ],
)
def test_damaged_files_are_named(tmp_path, plane, change, words):
    path = write_labelme(tmp_path / "cells.json", plane)
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    with pytest.raises(ObjectFileError, match=rf"cells\.json.*({words})"):
        read_labelme(path)


def test_files_are_not_replaced_unasked(tmp_path, plane):
    path = write_labelme(tmp_path / "a.json", plane)
    with pytest.raises(OutputError, match="exists"):
        write_labelme(path, plane)
