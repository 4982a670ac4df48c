from __future__ import annotations

import json
import uuid
from dataclasses import replace

import numpy as np
import pytest
from shapely.geometry import Point, shape

from vrpsam_app.errors import ConfigError, ObjectFileError, OutputError
from vrpsam_app.exchange.object_plane import ObjectPlane
from vrpsam_app.exchange.qupath_geojson import read_geojson, write_geojson


def test_shapely_sees_valid_polygons_with_the_right_pixels(tmp_path, plane):
    document = json.loads(write_geojson(tmp_path / "a.geojson", [plane]).read_text())
    assert document["type"] == "FeatureCollection"
    for feature, number in zip(document["features"], plane.counts.ids.tolist(), strict=True):
        geometry = shape(feature["geometry"])
        mask = plane.labels == number
        assert geometry.is_valid
        assert geometry.area == mask.sum()
        for row, col in np.ndindex(plane.hw):
            assert geometry.contains(Point(col + 0.5, row + 0.5)) == mask[row, col]
        uuid.UUID(feature["id"])
        assert feature["properties"]["name"] == str(number)
        assert feature["properties"]["objectType"] == "detection"
    assert len({feature["id"] for feature in document["features"]}) == 6


def test_what_was_written_reads_back_equal(tmp_path, plane):
    path = write_geojson(tmp_path / "a.geojson", [plane])
    (read,) = read_geojson(path, plane.hw, plane.name)
    assert np.array_equal(read.labels, plane.labels)
    assert (dict(read.classes), dict(read.scores)) == (dict(plane.classes), dict(plane.scores))


def test_slices_and_times_are_kept(tmp_path):
    planes = [
        ObjectPlane(np.eye(4, dtype=int) * (t + z + 1), "s", position={"t": t, "z": z})
        for t in range(2)
        for z in range(2)
    ]
    path = write_geojson(tmp_path / "a.geojson", planes)
    features = json.loads(path.read_text())["features"]
    assert features[1]["geometry"]["plane"] == {"c": -1, "z": 1, "t": 0}
    for read, wrote in zip(read_geojson(path, (4, 4)), planes, strict=True):
        assert dict(read.position) == dict(wrote.position)
        assert np.array_equal(read.labels, wrote.labels)


@pytest.mark.parametrize("wrap", [lambda f: f, lambda f: f[0], lambda f: {"features": f}])
def test_what_qupath_exports_is_read(tmp_path, wrap):
    feature = {
        "type": "Feature",
        "id": "b9d1f5a0-0000-4000-8000-000000000000",
        "geometry": {
            "type": "Polygon",
            "coordinates": [[[1.2, 1.2], [5.9, 1.2], [5.9, 4.9], [1.2, 4.9], [1.2, 1.2]]],
        },
        "properties": {"objectType": "annotation", "classification": {"name": "Tumor"}},
    }
    line = {"type": "Feature", "geometry": {"type": "LineString", "coordinates": [[0, 0], [1, 1]]}}
    (tmp_path / "a.geojson").write_text(json.dumps(wrap([feature, line])))
    (read,) = read_geojson(tmp_path / "a.geojson", (8, 8), "slide.tif")
    assert read.class_of(1) == "Tumor"
    assert np.argwhere(read.labels).min(0).tolist() == [1, 1]
    assert np.argwhere(read.labels).max(0).tolist() == [4, 5]


def test_objects_of_another_picture_are_refused(tmp_path, plane):
    path = write_geojson(tmp_path / "a.geojson", [plane])
    with pytest.raises(ObjectFileError, match=r"feature 2 .* 10 x 10"):
        read_geojson(path, (10, 10))


@pytest.mark.parametrize("document", ["3", "{}", '[{"geometry": null}]', '[{"geometry": {}}]'])
def test_damaged_files_are_named(tmp_path, document):
    (tmp_path / "a.geojson").write_text(document)
    with pytest.raises(ObjectFileError, match=r"a\.geojson is not as expected"):
        read_geojson(tmp_path / "a.geojson", (4, 4))


def test_unknown_classes_and_taken_names_are_refused(tmp_path, plane):
    with pytest.raises(ConfigError, match="'debris' is unknown"):
        write_geojson(tmp_path / "a.geojson", [plane], names=["nucleus"])
    write_geojson(tmp_path / "a.geojson", [plane])
    with pytest.raises(OutputError, match="exists"):
        write_geojson(tmp_path / "a.geojson", [plane])


def test_objects_without_a_plane_are_of_the_first_where_others_have_one(tmp_path, plane):
    path = write_geojson(tmp_path / "a.geojson", [plane, replace(plane, position={"z": 2})])
    first, third = read_geojson(path, plane.hw)
    assert dict(first.position) == {"t": 0, "z": 0}
    assert dict(third.position) == {"t": 0, "z": 2}
