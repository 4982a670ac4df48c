"""NIfTI volumes as nibabel writes them."""

from __future__ import annotations

import gzip
import pickle

import nibabel
import numpy as np
import pytest

from vrpsam_app.errors import ImageFileError
from vrpsam_app.stacks.stack import PixelSize
from vrpsam_app.stacks.stack_files import open_stack

RNG = np.random.default_rng(0)
IJK = RNG.integers(0, 3000, (30, 20, 4)).astype(np.int16)


def write(path, array=IJK, affine=None, units="mm", kind=nibabel.Nifti1Image, **header):
    image = kind(array, np.diag([0.5, 0.7, 3.0, 1.0]) if affine is None else affine)
    if hasattr(image.header, "set_xyzt_units"):
        image.header.set_xyzt_units(units, "sec")
    for name, value in header.items():
        image.header[name] = value
    image.to_filename(path)
    return path


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_volumes_are_read_plane_by_plane(tmp_path, name, kind, everything):
    stack = open_stack(write(tmp_path / name, kind=kind))
    assert stack.axes == ("z",)
    assert stack.dtype == np.int16
    assert stack.pixel_size == PixelSize(0.7, 0.5, 3.0, "mm")
    assert np.array_equal(everything(stack), IJK.T)
    assert np.array_equal(stack.plane((1,)), IJK[:, :, 1].T)  # back again, in a packed file too


def test_pairs_of_header_and_pixels(tmp_path, everything):
    write(tmp_path / "a.img", kind=nibabel.Nifti1Pair)
    for name in ("a.img", "a.hdr"):
        assert np.array_equal(everything(open_stack(tmp_path / name)), IJK.T)


def test_voxel_sizes_come_from_the_transformation(tmp_path):
    turned = np.array([[0, 0, 3.0, 0], [0.5, 0, 0, 0], [0, 0.7, 0, 0], [0, 0, 0, 1]])
    image = nibabel.Nifti1Image(IJK, None)
    image.header.set_xyzt_units("mm")
    image.set_qform(turned, code=1)
    image.to_filename(tmp_path / "q.nii")
    assert open_stack(tmp_path / "q.nii").pixel_size == PixelSize(0.7, 0.5, 3.0, "mm")


def test_units(tmp_path):
    assert open_stack(write(tmp_path / "u.nii", units="micron")).pixel_size.unit == "um"
    assert open_stack(write(tmp_path / "m.nii", units="meter")).pixel_size.unit == "m"
    # A transformation leads to millimetres; without one, nothing is known.
    assert open_stack(write(tmp_path / "a.nii", units="unknown")).pixel_size.unit == "mm"
    image = nibabel.Nifti1Image(IJK, None)
    image.to_filename(tmp_path / "n.nii")
    assert open_stack(tmp_path / "n.nii").pixel_size is None


def test_scaled_values_are_fractions(tmp_path, everything):
    image = nibabel.Nifti1Image(IJK, np.eye(4))
    image.header.set_slope_inter(0.5, -100)
    image.to_filename(tmp_path / "a.nii")
    stack = open_stack(tmp_path / "a.nii")
    assert stack.dtype == np.float32
    assert np.array_equal(everything(stack), IJK.T * np.float32(0.5) - 100)


def test_four_dimensions_and_big_endian(tmp_path, everything):
    four = RNG.random((30, 20, 4, 3)).astype(">f4")
    header = nibabel.Nifti1Header(endianness=">")
    header.set_data_dtype(">f4")
    nibabel.Nifti1Image(four, np.eye(4), header).to_filename(tmp_path / "a.nii")
    stack = open_stack(tmp_path / "a.nii")
    assert stack.axes == ("t", "z")
    assert np.array_equal(everything(stack), four.T)
    assert stack.plane((0, 0)).dtype.isnative


def test_colours(tmp_path):
    rgb = RNG.integers(0, 255, (30, 20, 4, 3)).astype(np.uint8)
    packed = np.ascontiguousarray(rgb).view([("R", "u1"), ("G", "u1"), ("B", "u1")])[..., 0]
    nibabel.Nifti1Image(packed, np.eye(4)).to_filename(tmp_path / "a.nii")
    stack = open_stack(tmp_path / "a.nii")
    assert stack.color
    assert np.array_equal(stack.plane((2,)), rgb[:, :, 2].swapaxes(0, 1))


def test_label_volumes_keep_their_numbers(tmp_path, everything):
    labels = RNG.integers(0, 2**31 - 1, (30, 20, 4)).astype(np.int32)
    stack = open_stack(write(tmp_path / "a.nii.gz", labels))
    assert stack.dtype == np.int32
    assert np.array_equal(everything(stack), labels.T)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("share", [0.02, 0.4, 0.95, 0.999])
def test_truncated_volumes_are_refused(tmp_path, name, share):
    path = write(tmp_path / name)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ImageFileError, match=rf"{name}"):
        open_stack(path)


def test_packed_files_of_several_members_are_complete(tmp_path, everything):
    data = write(tmp_path / "a.nii").read_bytes()
    half = len(data) // 2
    path = tmp_path / "b.nii.gz"
    path.write_bytes(gzip.compress(data[:half]) + gzip.compress(data[half:]))
    assert np.array_equal(everything(open_stack(path)), IJK.T)


def test_other_numbers_are_refused(tmp_path):
    with pytest.raises(ImageFileError, match="type complex64"):
        open_stack(write(tmp_path / "a.nii", IJK.astype(np.complex64)))


def test_a_volume_can_be_sent_to_another_process(tmp_path):
    stack = open_stack(write(tmp_path / "a.nii.gz"))
    stack.plane((0,))
    assert np.array_equal(pickle.loads(pickle.dumps(stack)).plane((3,)), IJK[:, :, 3].T)
