from __future__ import annotations

from pathlib import Path

from vrpsam_app.exchange.picture_names import PictureFolder


def names(folder: Path, stem: str) -> list[str]:
    return [file.relative_to(folder).as_posix() for file in PictureFolder(folder).named(stem)]


def test_pictures_are_found_by_their_name_or_that_of_their_results(tmp_path):
    for name in ("a/x.png", "b/x.png", "b/x.1.png", "b/x.csv", "b/y.ome.tif", "c_z_png.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert names(tmp_path, "x") == ["a/x.png", "b/x.png"]
    assert names(tmp_path, "b_x_png") == ["b/x.png"]
    assert names(tmp_path, "y") == names(tmp_path, "b_y_ome_tif") == ["b/y.ome.tif"]
    assert names(tmp_path, "c_z_png") == ["c_z_png.jpg"]
    assert names(tmp_path, "c_x_png") == names(tmp_path / "none", "x") == []
