"""DICOM series as pydicom writes them."""

from __future__ import annotations

import pickle

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, RLELossless, generate_uid

from vrpsam_app.errors import ImageFileError
from vrpsam_app.stacks.stack import PixelSize
from vrpsam_app.stacks.stack_files import open_stack

RNG = np.random.default_rng(0)
ZYX = RNG.integers(0, 4096, (5, 24, 36)).astype(np.uint16)
SERIES = generate_uid()


def dataset(pixels, **tags):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = Dataset()
    ds.file_meta = meta
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    ds.SeriesInstanceUID = SERIES
    ds.SeriesDescription = "T1"
    ds.Modality = "MR"
    ds.PixelSpacing = [0.7, 0.5]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    colour = pixels.ndim > 2 and pixels.shape[-1] == 3
    frames = pixels.ndim - 2 - colour
    ds.Rows, ds.Columns = pixels.shape[frames : frames + 2]
    if frames:
        ds.NumberOfFrames = len(pixels)
    ds.SamplesPerPixel = 3 if colour else 1
    ds.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        ds.PlanarConfiguration = 0
    ds.BitsAllocated = pixels.dtype.itemsize * 8
    ds.BitsStored = 12 if pixels.dtype == np.uint16 else ds.BitsAllocated
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(pixels.dtype.kind == "i")
    ds.PixelData = pixels.tobytes()
    for name, value in tags.items():
        setattr(ds, name, value)
    return ds


def save(path, ds):
    ds.save_as(path, enforce_file_format=True)
    return path


def write_series(folder, planes=ZYX, order=(3, 0, 4, 1, 2), **tags):
    """Write a series whose names and instance numbers say nothing about where planes lie."""
    folder.mkdir(exist_ok=True)
    for name, z in enumerate(order):
        place = [0.0, 0.0, 10 - 2.5 * z]
        save(
            folder / f"IM{name:04d}",
            dataset(planes[z], ImagePositionPatient=place, InstanceNumber=name, **tags),
        )
    return folder


def test_a_series_is_sorted_by_position(tmp_path, everything):
    stack = open_stack(write_series(tmp_path / "series"))
    assert stack.axes == ("z",)
    assert stack.dtype == np.uint16
    assert stack.pixel_size == PixelSize(0.7, 0.5, 2.5, "mm")
    assert np.array_equal(everything(stack), ZYX[::-1])  # along the normal


def test_a_tilted_series_is_sorted_along_its_normal(tmp_path, everything):
    for z in range(5):
        tags = {"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}  # sagittal
        tags["ImagePositionPatient"] = [-3.0 * z, 0, 0]
        save(tmp_path / f"{z * 7 % 5}.dcm", dataset(ZYX[z], **tags))
    stack = open_stack(tmp_path)
    assert np.array_equal(everything(stack), ZYX)
    assert stack.pixel_size.plane == 3


def test_series_without_positions_go_by_their_numbers(tmp_path, everything):
    for z in range(5):
        ds = dataset(ZYX[z], InstanceNumber=10 - z)
        save(tmp_path / f"{z}.dcm", ds)
    stack = open_stack(tmp_path)
    assert np.array_equal(everything(stack), ZYX[::-1])
    assert stack.pixel_size == PixelSize(0.7, 0.5, None, "mm")


def test_uneven_distances_are_no_plane_size(tmp_path):
    write_series(tmp_path, order=(0, 1, 3, 4))
    assert open_stack(tmp_path).pixel_size == PixelSize(0.7, 0.5, None, "mm")


def test_repeated_positions_are_times(tmp_path, everything):
    for t in range(2):
        for z in range(3):
            ds = dataset(ZYX[z] // 2 + t, ImagePositionPatient=[0, 0, z], AcquisitionNumber=2 - t)
            save(tmp_path / f"{t}{z}.dcm", ds)
    stack = open_stack(tmp_path)
    assert stack.axes == ("t", "z")
    assert np.array_equal(everything(stack), np.stack([ZYX[:3] // 2 + 1, ZYX[:3] // 2]))
    (tmp_path / "11.dcm").unlink()
    with pytest.raises(ImageFileError, match=r"2 planes at some positions, but 1 at .*01\.dcm"):
        open_stack(tmp_path)


def test_whole_shifts_stay_integers_and_other_rescaling_is_float(tmp_path, everything):
    write_series(tmp_path / "ct", RescaleSlope=1, RescaleIntercept=-1024)
    stack = open_stack(tmp_path / "ct")
    assert stack.dtype == np.int32
    assert np.array_equal(everything(stack), ZYX[::-1].astype(np.int32) - 1024)
    write_series(tmp_path / "pet", RescaleSlope=0.25, RescaleIntercept=0)
    stack = open_stack(tmp_path / "pet")
    assert stack.dtype == np.float32
    assert np.array_equal(everything(stack), ZYX[::-1] * np.float32(0.25))


def test_monochrome1_is_inverted(tmp_path):
    path = save(tmp_path / "a.dcm", dataset(ZYX[0], PhotometricInterpretation="MONOCHROME1"))
    stack = open_stack(path)
    assert stack.axes == ()
    assert np.array_equal(stack.plane(), 4095 - ZYX[0])


def test_colours_and_palettes(tmp_path):
    rgb = RNG.integers(0, 256, (24, 36, 3)).astype(np.uint8)
    stack = open_stack(save(tmp_path / "rgb.dcm", dataset(rgb)))
    assert stack.color
    assert np.array_equal(stack.plane(), rgb)
    indices = RNG.integers(0, 256, (24, 36)).astype(np.uint8)
    palette = RNG.integers(0, 256, (3, 256)).astype(np.uint8)
    tags = {"PhotometricInterpretation": "PALETTE COLOR"}
    for name, entries in zip(("Red", "Green", "Blue"), palette, strict=True):
        tags[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 8]
        tags[f"{name}PaletteColorLookupTableData"] = entries.tobytes()
    stack = open_stack(save(tmp_path / "palette.dcm", dataset(indices, **tags)))
    assert np.array_equal(stack.plane(), palette.T[indices])


def test_frames_of_one_file(tmp_path, everything):
    cine = open_stack(save(tmp_path / "cine.dcm", dataset(ZYX, FrameTime=40)))
    assert cine.axes == ("t",)
    assert np.array_equal(everything(cine), ZYX)
    groups = []
    for z in range(5):
        position = Dataset()
        position.ImagePositionPatient = [0, 0, 8 - 2 * z]
        group = Dataset()
        group.PlanePositionSequence = [position]
        groups.append(group)
    measures = Dataset()
    measures.PixelSpacing = [0.3, 0.4]
    shared = Dataset()
    shared.PixelMeasuresSequence = [measures]
    ds = dataset(ZYX, PerFrameFunctionalGroupsSequence=groups)
    ds.SharedFunctionalGroupsSequence = [shared]
    stack = open_stack(save(tmp_path / "enhanced.dcm", ds))
    assert stack.axes == ("z",)
    assert stack.pixel_size == PixelSize(0.3, 0.4, 2.0, "mm")
    assert np.array_equal(everything(stack), ZYX[::-1])


def test_compressed_frames(tmp_path, everything):
    ds = dataset(ZYX)
    ds.compress(RLELossless)
    assert np.array_equal(everything(open_stack(save(tmp_path / "a.dcm", ds))), ZYX)


def test_a_compression_without_a_decoder_is_named(tmp_path):
    ds = dataset(ZYX[0])
    ds.file_meta.TransferSyntaxUID = pydicom.uid.JPEGLSLossless
    ds.PixelData = pydicom.encaps.encapsulate([b"\xff\xd8\xff\xd9"])
    ds["PixelData"].VR = "OB"
    with pytest.raises(ImageFileError, match=r"JPEG-LS.*no decoder is installed.*pylibjpeg"):
        open_stack(save(tmp_path / "a.dcm", ds))


def test_mixed_series_are_refused_by_name_and_chosen_from(tmp_path):
    write_series(tmp_path)
    other = generate_uid()
    for z in range(2):
        tags = {"SeriesInstanceUID": other, "SeriesDescription": "scout"}
        save(tmp_path / f"S{z}", dataset(ZYX[z], ImagePositionPatient=[0, 0, z], **tags))
    with pytest.raises(ImageFileError, match=r"0 'T1 MR \(5 files\)', 1 'scout MR \(2 files\)'"):
        open_stack(tmp_path)
    assert open_stack(tmp_path, scene=1).leading_shape == (2,)


def test_files_that_do_not_fit_are_named(tmp_path):
    write_series(tmp_path)
    save(tmp_path / "odd", dataset(ZYX[0, :20], ImagePositionPatient=[0, 0, 99]))
    with pytest.raises(ImageFileError, match=r"odd has Rows 20, but IM0000 has 24"):
        open_stack(tmp_path)
    save(
        tmp_path / "odd",
        dataset(
            ZYX[0], ImagePositionPatient=[0, 0, 99], ImageOrientationPatient=[0, 1, 0, 0, 0, 1]
        ),
    )
    with pytest.raises(ImageFileError, match=r"odd lies in another direction"):
        open_stack(tmp_path)


def test_files_without_an_image_are_passed_over(tmp_path):
    write_series(tmp_path)
    report = dataset(ZYX[0])
    del report.Rows, report.Columns, report.PixelData
    save(tmp_path / "report.dcm", report)
    (tmp_path / "notes.txt").write_text("nothing")
    assert open_stack(tmp_path).leading_shape == (5,)
    for file in tmp_path.glob("IM*"):
        file.unlink()
    with pytest.raises(ImageFileError, match="holds no DICOM image"):
        open_stack(tmp_path)


def test_truncated_too_large_and_slides_are_refused(tmp_path):
    path = save(tmp_path / "a.dcm", dataset(ZYX))
    with pytest.raises(ImageFileError, match="24 x 36 pixels: at most 800"):
        open_stack(path, max_pixels=800)
    path.write_bytes(path.read_bytes()[:-4000])
    with pytest.raises(ImageFileError, match=r"a\.dcm is truncated"):
        open_stack(path)
    slide = dataset(ZYX[0], SOPClassUID="1.2.840.10008.5.1.4.1.1.77.1.6")
    with pytest.raises(ImageFileError, match="slide in tiles"):
        open_stack(save(path, slide))


def test_a_series_can_be_sent_to_another_process(tmp_path):
    stack = open_stack(write_series(tmp_path / "series"))
    assert np.array_equal(pickle.loads(pickle.dumps(stack)).plane((0,)), ZYX[4])
