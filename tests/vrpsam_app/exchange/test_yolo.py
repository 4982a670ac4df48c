from __future__ import annotations

import numpy as np
import pytest
import yaml

from vrpsam_app.errors import ConfigError, ObjectFileError, OutputError
from vrpsam_app.exchange.object_plane import ObjectPlane
from vrpsam_app.exchange.yolo import read_yolo, write_yolo


def sizes(*planes: ObjectPlane):
    known = {p.name.partition(".")[0]: (p.name, p.hw) for p in planes}
    return known.__getitem__


def test_what_was_written_reads_back_equal_in_order(tmp_path, plane, second_plane, empty_plane):
    planes = [plane, second_plane, empty_plane]
    written = write_yolo(tmp_path, planes)
    assert [p.relative_to(tmp_path).as_posix() for p in written] == [
        "labels/cells.txt",
        "labels/more.txt",
        "labels/none.txt",
        "data.yaml",
    ]
    for source in (tmp_path, tmp_path / "data.yaml"):
        for read, wrote in zip(read_yolo(source, sizes(*planes)), planes, strict=True):
            assert read.name == wrote.name
            assert np.array_equal(read.labels, wrote.counts.dense)
            classes = [wrote.class_of(n) for n in wrote.counts.ids.tolist()]
            assert [read.class_of(i) for i in range(1, len(classes) + 1)] == classes


def test_the_data_set_names_its_classes(tmp_path, plane):
    write_yolo(tmp_path, [plane], names=["debris", "other", "nucleus"])
    document = yaml.safe_load((tmp_path / "data.yaml").read_text())
    assert document["names"] == {0: "debris", 1: "other", 2: "nucleus"}
    lines = (tmp_path / "labels" / "cells.txt").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["2", "0", "2", "0", "2", "2"]
    shares = np.array(lines[0].split()[1:], float)
    assert shares.min() >= 0
    assert shares.max() <= 1


def test_a_file_alone_is_read_with_names_or_without(tmp_path, plane):
    write_yolo(tmp_path, [plane])
    path = tmp_path / "labels" / "cells.txt"
    (named,) = read_yolo(path, sizes(plane), names=["debris", "nucleus"])
    (bare,) = read_yolo(path, sizes(plane))
    assert (named.class_of(1), bare.class_of(1)) == ("nucleus", "1")


def test_names_may_be_a_list_as_older_releases_have_it(tmp_path, plane):
    write_yolo(tmp_path, [plane])
    (tmp_path / "data.yaml").write_text("names: [debris, nucleus]\n")
    (read,) = read_yolo(tmp_path, sizes(plane))
    assert read.class_of(1) == "nucleus"


def test_pictures_of_one_name_are_refused(tmp_path, plane):
    twin = ObjectPlane(plane.labels, "cells.png")
    with pytest.raises(OutputError, match="Several pictures are called 'cells'"):
        write_yolo(tmp_path, [plane, twin])
    assert list(tmp_path.iterdir()) == []


def test_labels_lie_as_their_pictures_do(tmp_path, plane):
    places = {
        "train/a.png": "train/a.txt",
        "val/a.png": "val/a.txt",
        "val\\deep\\b.1.png": "val/deep/b.1.txt",
        "/elsewhere/c.png": "c.txt",
        "../d.png": "d.txt",
        "D:\\e.png": "e.txt",
    }
    written = write_yolo(tmp_path, [ObjectPlane(plane.labels, name) for name in places])
    labels = tmp_path / "labels"
    assert written[:-1] == [labels / place for place in places.values()]
    asked: list[str] = []
    for path in written[:2]:
        read_yolo(path, lambda name: asked.append(name) or (name, plane.hw))
    assert asked == ["train/a", "val/a"]


def test_unknown_classes_and_taken_names_are_refused(tmp_path, plane):
    with pytest.raises(ConfigError, match="'debris' is unknown"):
        write_yolo(tmp_path, [plane], names=["nucleus"])
    write_yolo(tmp_path, [plane])
    with pytest.raises(OutputError, match="exists"):
        write_yolo(tmp_path, [plane])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("x 0 0 1 0 1 1", "line 1 is no polygon"),
        ("0 0 0 1", "line 1 is no polygon"),
        ("0 0.5 0.5 0.2 0.2", "line 1 is a box"),
        ("7 0 0 1 0 1 1", "line 1 has the class 7"),
        ("0 0 0 nan 0 1 1", "line 1 has a corner"),
    ],
)
def test_damaged_lines_are_named(tmp_path, plane, line, words):
    write_yolo(tmp_path, [plane])
    (tmp_path / "labels" / "cells.txt").write_text(line)
    with pytest.raises(ObjectFileError, match=rf"cells\.txt: {words}"):
        read_yolo(tmp_path, sizes(plane))


def test_missing_and_damaged_lists_are_named(tmp_path):
    with pytest.raises(ObjectFileError, match=r"data\.yaml cannot be read"):
        read_yolo(tmp_path, sizes())
    for text in ("names: 3", "[", "names: {a: b}"):
        (tmp_path / "data.yaml").write_text(text)
        with pytest.raises(ObjectFileError, match=r"data\.yaml is not as expected"):
            read_yolo(tmp_path, sizes())
    (tmp_path / "data.yaml").write_text("names: [a]")
    with pytest.raises(ObjectFileError, match=r"labels has no \.txt"):
        read_yolo(tmp_path, sizes())
