"""``vrpsam import``, and references made of what other programs found."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import roifile
import tifffile
from PIL import Image

from vrpsam_app.exchange.imagej_rois import write_rois
from vrpsam_app.exchange.labelme import write_labelme
from vrpsam_app.exchange.object_plane import ObjectPlane

LABELS = np.zeros((40, 60), np.int32)
LABELS[6:14, 9:17], LABELS[21:29, 41:49] = 3, 7  # the red and the green square of ref.png
PLANE = ObjectPlane(LABELS, "ref.png", {3: "red", 7: "green"})


def write_hyperstack_rois(path: str, places: list[tuple[int, int, int]]) -> None:
    """Write a square at each channel, slice and frame, which ImageJ counts from 1 along all."""
    with zipfile.ZipFile(path, "w") as archive:
        for number, (c, z, t) in enumerate(places):
            roi = roifile.ImagejRoi.frompoints([[9, 6], [17, 6], [17, 14], [9, 14]])
            roi.c_position, roi.z_position, roi.t_position = c, z, t
            archive.writestr(f"{number}.roi", roi.tobytes())


@pytest.mark.usefixtures("folder")
class TestImport:
    def test_regions_become_a_label_image_and_a_table(self, vrpsam):
        write_rois("ref_rois.zip", [PLANE])
        outcome = vrpsam("import", "ref_rois.zip", "--images", "ref.png", "--out", "labels")
        assert outcome.code == 0
        assert outcome.out == f"ref: 2 objects -> {Path('labels/ref_labels.tif')}\n"
        assert np.array_equal(tifffile.imread("labels/ref_labels.tif"), LABELS)
        table = Path("labels/ref_labels.csv").read_text()
        assert table == "label,class,score\n3,red,\n7,green,\n"

    def test_several_files_of_different_formats(self, vrpsam):
        write_labelme("one.json", PLANE)
        Image.fromarray(LABELS.astype(np.uint8)).save("two_masks.png")
        assert vrpsam("import", "one.json", "two_masks.png", "--out", "labels").code == 0
        assert {p.name for p in Path("labels").glob("*.tif")} == {
            "ref_labels.tif",
            "two_labels.tif",
        }

    def test_regions_of_a_stack_fill_a_stack(self, vrpsam):
        metadata = {"axes": "ZYX", "spacing": 2.0, "unit": "um"}
        image = np.zeros((4, 40, 60), np.uint8)
        tifffile.imwrite("s.tif", image, imagej=True, metadata=metadata, resolution=(2, 2))
        write_rois("s_rois.zip", [ObjectPlane(LABELS, "s.tif", position={"z": 1})])
        vrpsam("import", "s_rois.zip", "--images", "s.tif", "--out", "labels")
        with tifffile.TiffFile("labels/s_labels.tif") as file:
            stack = file.asarray()
            assert file.imagej_metadata["spacing"] == 2
        assert stack.shape == (4, 40, 60)
        assert np.array_equal(stack[1], LABELS)
        assert not stack[[0, 2, 3]].any()

    def test_regions_without_a_position_lie_in_every_plane(self, vrpsam):
        image = np.zeros((3, 40, 60), np.uint8)
        tifffile.imwrite("s.tif", image, imagej=True, metadata={"axes": "ZYX"})
        other = ObjectPlane(np.where(LABELS == 7, 3, 0), "s.tif", {3: "dot"}, position={"z": 0})
        everywhere = ObjectPlane(np.where(LABELS == 3, 3, 0), "s.tif", {3: "red"})
        write_rois("s_rois.zip", [everywhere, other])
        outcome = vrpsam("import", "s_rois.zip", "--images", "s.tif", "--out", "labels")
        assert outcome.out.startswith("s: 2 objects")
        stack = tifffile.imread("labels/s_labels.tif")
        assert stack[:, 8, 11].tolist() == [1, 1, 1]
        assert stack[:, 24, 44].tolist() == [3, 0, 0]
        table = Path("labels/s_labels.csv").read_text()
        assert table == "label,class,score\n1,red,\n3,dot,\n"

    @pytest.mark.parametrize(
        ("axes", "places", "leading"),
        [
            ("ZCYX", [(1, 2, 1), (2, 4, 1)], (5,)),
            ("TZCYX", [(1, 2, 1), (1, 4, 1)], (3, 5)),
            ("CYX", [(2, 1, 1)], ()),
        ],
    )
    @pytest.mark.parametrize("channels", [2, 5])
    def test_regions_of_a_hyperstack_fill_it(self, vrpsam, axes, places, leading, channels):
        image = np.zeros((*leading, channels, 40, 60), np.uint8)
        tifffile.imwrite("h.tif", image, imagej=True, metadata={"axes": axes})
        write_hyperstack_rois("h_rois.zip", places)
        vrpsam("import", "h_rois.zip", "--images", "h.tif", "--out", "labels")
        stack = tifffile.imread("labels/h_labels.tif")
        assert stack.shape == (*leading, 40, 60)
        filled = np.argwhere(stack.reshape(-1, 40, 60).any((1, 2)))[:, 0].tolist()
        assert filled == [z - 1 for _, z, _ in places]

    def test_objects_of_namesakes_come_back_one_by_one(self, vrpsam):
        for folder in ("train", "val"):
            Path("in", folder).mkdir(parents=True)
            Image.fromarray(LABELS.astype(np.uint8)).save(f"in/{folder}/a.png")
            Image.fromarray(LABELS.astype(np.uint8)).save(f"{folder}_a_png_labels.png")
        for stem in ("train_a_png", "val_a_png"):
            arguments = ("--images", "in", "--out", "out")
            assert vrpsam("export", f"{stem}_labels.png", "--to", "geojson", *arguments).code == 0
            outcome = vrpsam("import", f"out/{stem}.geojson", *arguments)
            assert outcome.out == f"{stem}: 2 objects -> {Path(f'out/{stem}_labels.tif')}\n"

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("a.zip",), "does not exist"),
            (("ref_rois.zip",), "how large its picture is"),
            (("ref_rois.zip", "--images", "small.png"), "without a pixel"),
        ],
    )
    def test_what_cannot_be_read_is_said(self, vrpsam, arguments, words):
        write_rois("ref_rois.zip", [PLANE])
        Image.fromarray(np.zeros((5, 5), np.uint8)).save("small.png")
        outcome = vrpsam("import", *arguments, "--out", "labels")
        assert outcome.code == 2
        assert words in outcome.err
        assert not Path("labels").exists()

    def test_labels_are_not_replaced_unasked(self, vrpsam):
        write_labelme("one.json", PLANE)
        assert vrpsam("import", "one.json", "--out", "labels").code == 0
        assert vrpsam("import", "one.json", "--out", "labels").code == 2
        assert vrpsam("import", "one.json", "--out", "labels", "--overwrite").code == 0


@pytest.mark.usefixtures("folder")
class TestReferences:
    def found(self, vrpsam, *marks: str) -> tuple[int, int] | str:
        """Segment after such a reference; return where the mask begins, or the error."""
        outcome = vrpsam(
            *("segment", "--reference", "ref.png", *marks, "--target", "a.png", "--out", "results")
        )
        if outcome.code:
            return outcome.err
        rows, cols = np.nonzero(np.asarray(Image.open("results/a_mask.png")))
        return int(rows.min()), int(cols.min())

    def test_an_object_of_a_label_image_is_a_reference(self, vrpsam):
        Image.fromarray(LABELS.astype(np.uint16)).save("ref_cp_masks.png")
        assert self.found(vrpsam, "--labels", "ref_cp_masks.png", "--id", "3") == (22, 3)

    def test_regions_are_too_by_their_class(self, vrpsam):
        write_rois("ref.zip", [PLANE])
        assert self.found(vrpsam, "--labels", "ref.zip", "--label", "green") == (2, 30)

    @pytest.mark.parametrize(
        ("axes", "slices", "place"), [("ZCYX", ("--slice", "1"), (1, 2, 1)), ("CYX", (), (1, 1, 1))]
    )
    def test_regions_of_a_hyperstack_are_references(self, vrpsam, axes, slices, place):
        picture = np.moveaxis(np.asarray(Image.open("ref.png"))[..., :2], -1, 0)
        shown = np.stack([np.roll(picture, n, -1) for n in range(3)]) if "Z" in axes else picture
        tifffile.imwrite("h.tif", shown, imagej=True, metadata={"axes": axes})
        write_hyperstack_rois("h_rois.zip", [place, (1, 3, 1)])
        outcome = vrpsam(
            "segment", "--reference", "h.tif", *slices, "--labels", "h_rois.zip",
            "--target", "h.tif", "--out", "results",
        )  # fmt: skip
        assert outcome.code == 0, outcome.err

    @pytest.mark.parametrize(
        ("marks", "words"),
        [
            (("--labels", "ref.zip", "--id", "5"), "no object 5: expected 3, 7"),
            (("--labels", "none.zip"), "does not exist"),
            (("--id", "5"), "--id comes before any --labels"),
            (("--labels", "ref.zip", "--id", "0"), "number of an object"),
        ],
    )
    def test_what_is_not_there_is_said(self, vrpsam, marks, words):
        write_rois("ref.zip", [PLANE])
        assert words in self.found(vrpsam, *marks)
