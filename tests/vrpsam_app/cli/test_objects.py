"""``vrpsam objects``, from what is typed to the files that are written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr
from PIL import Image


def masks(*squares: tuple[int, int, int], hw: tuple[int, int] = (40, 60)) -> np.ndarray:
    """Draw squares (top, left, side) as 255 on 0."""
    mask = np.zeros(hw, np.uint8)
    for top, left, side in squares:
        mask[top : top + side, left : left + side] = 255
    return mask


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with masks of ``a`` and ``b``, their images, and a stack."""
    monkeypatch.chdir(tmp_path)
    Path("found").mkdir()
    Image.fromarray(masks((5, 5, 10), (20, 30, 12))).save("found/a_mask.png")
    Image.fromarray(masks((0, 0, 6))).save("found/b_mask.png")
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save("found/a_overlay.png")
    Path("found/recipe.json").write_text("{}")
    Path("plate").mkdir()
    Image.fromarray(np.full((40, 60), 7, np.uint8)).save("plate/a.png")
    Image.fromarray(np.full((40, 60), 9, np.uint8)).save("plate/b.png")
    stack = np.stack([masks((5, 5, 10)), masks((6, 6, 10), (20, 30, 12)), masks((20, 30, 12))])
    metadata = {"axes": "ZYX", "spacing": 2.0, "unit": "um"}
    tifffile.imwrite("stack_mask.tif", stack, imagej=True, metadata=metadata, resolution=(2, 2))
    return tmp_path


def table(name: str) -> pd.DataFrame:
    return pd.read_csv(f"out/{name}")


@pytest.mark.usefixtures("results")
class TestPictures:
    def test_masks_of_namesakes_belong_to_their_images(self, vrpsam):
        for folder, value in (("p", 20), ("q", 30)):
            Path(folder).mkdir()
            Image.fromarray(np.full((40, 60), value, np.uint8)).save(f"{folder}/a.png")
        Path("found/a_mask.png").rename("found/p_a_png_mask.png")
        Path("found/b_mask.png").rename("found/q_a_png_mask.png")
        outcome = vrpsam("objects", "found", "--image", "p", "q", "--out", "out")
        assert outcome.code == 0, outcome.err
        assert set(table("p_a_png_objects.csv")["intensity_mean"]) == {20}
        assert set(table("q_a_png_objects.csv")["intensity_mean"]) == {30}

    def test_a_folder_of_masks(self, vrpsam):
        outcome = vrpsam("objects", "found", "--out", "out")
        assert outcome.code == 0
        assert {p.name for p in Path("out").iterdir()} == {
            "a_objects.tif",
            "a_objects.csv",
            "b_objects.tif",
            "b_objects.csv",
        }
        labels = tifffile.imread("out/a_objects.tif")
        assert (labels[10, 10], labels[25, 35], labels.max()) == (1, 2, 2)
        assert table("a_objects.csv")["area_px"].tolist() == [100, 144]
        lines = outcome.out.splitlines()
        assert lines[0] == (
            f"{Path('found/a_mask.png')}: 2 objects, median area 122 px -> "
            f"{Path('out/a_objects.tif')}"
        )
        assert ": 1 object, " in lines[1]

    def test_intensities_come_from_the_image_of_the_same_name(self, vrpsam):
        assert vrpsam("objects", "found", "--image", "plate", "--out", "out").code == 0
        assert table("a_objects.csv")["intensity_mean"].tolist() == [7, 7]
        assert table("b_objects.csv")["intensity_mean"].tolist() == [9]

    def test_all_channels_are_measured_or_those_that_are_chosen(self, vrpsam):
        image = np.arange(1, 6, dtype=np.uint16)[:, None, None] * np.ones((40, 60), np.uint16)
        names = ["DNA", "ER", "RNA", "AGP", "Mito"]
        metadata = {"axes": "CYX", "Channel": {"Name": names}}
        tifffile.imwrite("a.ome.tif", image, metadata=metadata)
        typed = ("objects", "found/a_mask.png", "--image", "a.ome.tif", "--out", "out")
        assert vrpsam(*typed).code == 0
        found = table("a_objects.csv").filter(regex="_mean$")
        assert found.iloc[0].to_dict() == {f"{n}_mean": i for i, n in enumerate(names, start=1)}
        chosen = ("--channels", "4,ER,0,RNA", "--overwrite")
        assert vrpsam(*typed, *chosen).code == 0
        found = table("a_objects.csv").filter(regex="_mean$")
        assert found.iloc[1].to_dict() == {
            "Mito_mean": 5,
            "ER_mean": 2,
            "DNA_mean": 1,
            "RNA_mean": 3,
        }
        by_light = ("--objects", "intensity", "--overwrite")
        assert "Choose one" in vrpsam(*typed, *by_light).err
        assert vrpsam(*typed, *by_light, "--channels", "1").code == 0
        assert table("a_objects.csv")["intensity_mean"].tolist() == [2, 2]

    def test_one_mask_and_one_image_belong_together(self, vrpsam):
        vrpsam("objects", "found/a_mask.png", "--image", "plate/b.png", "--out", "out")
        assert table("a_objects.csv")["intensity_mean"].tolist() == [9, 9]

    def test_filters_and_units(self, vrpsam):
        outcome = vrpsam(
            *("objects", "found", "--out", "out", "--pixel-size", "0.5"),
            *("--objects", "components,min-area=30,unit=um,clear-border"),
        )
        assert outcome.code == 0
        assert table("a_objects.csv")["area_um2"].tolist() == [36]
        assert len(table("b_objects.csv")) == 0
        assert "median area 36 um2" in outcome.out
        assert "b_mask.png: 0 objects ->" in outcome.out
        with tifffile.TiffFile("out/a_objects.tif") as file:
            assert file.pages[0].resolution == (2, 2)

    def test_objects_that_are_numbered_keep_their_numbers(self, vrpsam):
        labels = masks((5, 5, 10)) // 255 * 40 + masks((20, 30, 12)) // 255 * 7
        Image.fromarray(labels).save("a_cp_masks.png")
        arguments = ("objects", "a_cp_masks.png", "--out", "out", "--objects", "max-area=120")
        assert vrpsam(*arguments).code == 0
        assert table("a_objects.csv")["label"].tolist() == [40]

    def test_numbers_may_be_classes(self, vrpsam):
        labels = masks((5, 5, 10), (5, 30, 10)) // 255 + masks((20, 30, 12)) // 255 * 2
        Image.fromarray(labels).save("a_labels.png")
        arguments = ("objects", "a_labels.png", "--classes", "nucleus,debris", "--out", "out")
        assert vrpsam(*arguments).code == 0
        assert len(table("a_nucleus_objects.csv")) == 2
        assert table("a_debris_objects.csv")["area_px"].tolist() == [144]

    def test_names_of_classes_are_made_safe(self, vrpsam):
        Image.fromarray(masks((5, 5, 10)) // 255 * 2).save("a_labels.png")
        typed = ("objects", "a_labels.png", "--out", "out", "--classes")
        assert vrpsam(*typed, "rod, a/b").code == 0
        assert len(table("a_a-b_objects.csv")) == 1
        for wrong in ("rod,rod", "rod,"):
            refused = vrpsam(*typed, wrong)
            assert refused.code == 2
            assert "expected different names" in refused.err

    def test_what_does_not_say_that_it_is_a_mask_is_named(self, vrpsam):
        Image.fromarray(masks((0, 0, 6))).save("found/c.png")
        outcome = vrpsam("objects", "found", "--out", "out")
        assert outcome.code == 0
        assert f"passed over {Path('found/c.png')}: masks end in _mask" in outcome.err
        assert "overlay" not in outcome.err

    def test_results_are_not_replaced_unasked(self, vrpsam):
        vrpsam("objects", "found", "--out", "out")
        again = vrpsam("objects", "found", "--out", "out")
        assert again.code == 2
        assert "exists already" in again.err
        assert vrpsam("objects", "found", "--out", "out", "--overwrite").code == 0

    def test_a_damaged_file_is_named_and_the_rest_goes_on(self, vrpsam):
        Path("found/a_mask.png").write_bytes(b"text")
        outcome = vrpsam("objects", "found", "--out", "out")
        assert outcome.code == 1
        assert "a_mask.png" in outcome.err
        assert "1 of 2 failed" in outcome.err
        assert Path("out/b_objects.csv").is_file()

    def test_images_of_another_size_are_named(self, vrpsam):
        Image.fromarray(np.zeros((9, 9), np.uint8)).save("plate/a.png")
        outcome = vrpsam("objects", "found", "--image", "plate", "--out", "out")
        assert outcome.code == 1
        assert "do not belong together" in outcome.err

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("nothing.png",), "stands for no image"),
            (("found", "--objects", "magic"), "'magic' in 'magic' is unknown"),
            (("found", "--link", "gaps=-1"), "Gaps is"),
            (("found", "--pixel-size", "wide"), "Pixel size 'wide'"),
            (("found/a_mask.png", "found/b_mask.png", "--image", "plate/a.png"), "0 of the images"),
        ],
    )
    def test_what_cannot_be_done_is_said_before_anything_is(self, vrpsam, arguments, words):
        outcome = vrpsam("objects", *arguments, "--out", "out")
        assert outcome.code == 2
        assert words in " ".join(outcome.err.split())
        assert not Path("out").exists()

    def test_two_masks_of_one_picture_would_share_a_name(self, vrpsam):
        Image.fromarray(masks((0, 0, 6))).save("plate/a_mask.png")
        outcome = vrpsam("objects", "found/a_mask.png", "plate/a_mask.png", "--out", "out")
        assert outcome.code == 2
        assert "belong to 'a'" in outcome.err


@pytest.mark.usefixtures("results")
class TestStacks:
    def test_ids_go_through_the_stack_and_volumes_are_measured(self, vrpsam):
        outcome = vrpsam("objects", "stack_mask.tif", "--out", "out")
        assert outcome.code == 0
        labels = tifffile.imread("out/stack_objects.tif")
        assert [sorted(set(plane.ravel().tolist())) for plane in labels] == [
            [0, 1],
            [0, 1, 2],
            [0, 2],
        ]
        volumes = table("stack_objects.csv")
        assert volumes["volume_um3"].tolist() == [200 * 0.25 * 2, 288 * 0.25 * 2]
        assert volumes[["first_z", "last_z"]].values.tolist() == [[0, 1], [1, 2]]
        assert len(table("stack_object_planes.csv")) == 4
        assert "median volume 122 um3" in outcome.out

    def test_a_folder_of_masks_and_stacks(self, vrpsam):
        Path("images").mkdir()
        for name in ("lone", "x"):
            data = np.full((3, 40, 60), 5, np.uint8)
            zarr.create_array(f"images/{name}.zarr", data=data)
            zarr.create_array(f"found/{name}_labels.zarr", data=data // 5)
        for letter in "ab":
            tifffile.imwrite(f"images/{letter}.ome.tif", np.full((40, 60), 7, np.uint8))
        outcome = vrpsam("objects", "found", "--image", "images", "--out", "out")
        assert outcome.code == 0, outcome.err
        assert {p.name for p in Path("out").glob("*_objects.csv")} == {
            f"{name}_objects.csv" for name in ("a", "b", "lone", "x")
        }
        assert table("lone_objects.csv")["intensity_mean"].tolist() == [5]

    def test_classes_come_from_the_recipe_of_the_run(self, vrpsam):
        image = np.zeros((40, 60, 3), np.uint8)
        image[5:15, 5:15] = image[5:15, 30:40] = 90
        image[20:32, 30:42] = 200
        tifffile.imwrite("two.tif", np.stack([image] * 2), photometric="rgb")
        reference = ("--reference", "two.tif", "--slice", "0", "--box")
        outcome = vrpsam(
            *("segment", *reference, "30,20,42,32", "--label", "a/b"),
            *(*reference, "5,5,15,15", "--label", "dim", "--target", "two.tif", "--out", "run"),
        )
        assert outcome.code == 0, outcome.err
        outcome = vrpsam("objects", "run", "--out", "out")
        assert outcome.code == 0, outcome.err
        said = f"{Path('run/two_labels.tif')}: classes a/b, dim, as its recipe says"
        assert outcome.out.splitlines()[0] == said
        assert table("two_a-b_objects.csv")["voxels"].tolist() == [2 * 144]
        assert table("two_dim_objects.csv")["voxels"].tolist() == [200, 200]

    def test_numbered_stacks_keep_their_numbers_unless_others_are_asked_for(self, vrpsam):
        tracks = np.zeros((4, 40, 60), np.uint16)
        for t in range(4):
            tracks[t, 5:11, 5 + 9 * t : 11 + 9 * t] = 10
            tracks[t, 25:30, 20 + 9 * t : 26 + 9 * t] = 20
        tifffile.imwrite("a_labels.tif", tracks, imagej=True, metadata={"axes": "TYX"})
        typed = ("objects", "a_labels.tif", "--out", "out", "--overwrite")
        outcome = vrpsam(*typed)
        assert outcome.code == 0, outcome.err
        assert "a_labels.tif: objects keep their numbers" in outcome.out
        assert table("a_objects.csv")[["label", "frames"]].values.tolist() == [[10, 4], [20, 4]]
        np.testing.assert_array_equal(tifffile.imread("out/a_objects.tif"), tracks)
        assert vrpsam(*typed, "--objects", "max-area=30").code == 0
        np.testing.assert_array_equal(tifffile.imread("out/a_objects.tif"), (tracks == 20) * 20)
        assert vrpsam(*typed, "--link", "match").code == 0
        assert len(table("a_objects.csv")) == 8

    def test_objects_of_masks_are_left_out_whole(self, vrpsam):
        cone = np.stack([masks((4, 4, 8)), masks((0, 0, 14)), masks((4, 4, 8), (20, 30, 12))])
        tifffile.imwrite("cone_mask.tif", cone, imagej=True, metadata={"axes": "ZYX"})
        typed = ("objects", "cone_mask.tif", "--out", "out", "--overwrite", "--objects")
        assert vrpsam(*typed, "components,clear-border").code == 0
        assert table("cone_objects.csv")["voxels"].tolist() == [144]
        assert vrpsam(*typed, "components,min-area=150").code == 0
        assert table("cone_objects.csv")["voxels"].tolist() == [64 + 196 + 64]
        refused = vrpsam(*typed, "components,min-score=0.5")
        assert refused.code == 1
        assert "Min-score needs probabilities" in refused.err

    def test_other_rules_for_ids(self, vrpsam):
        vrpsam("objects", "stack_mask.tif", "--out", "out", "--link", "unique")
        assert table("stack_objects.csv")["label"].tolist() == [1, 2, 3, 4]
