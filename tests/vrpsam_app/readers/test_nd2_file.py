"""ND2 files, written here chunk by chunk as the library reads them: none writes them."""

from __future__ import annotations

import pickle
import struct
import sys

import numpy as np
import pytest

from vrpsam_app.errors import ImageFileError, MissingExtraError
from vrpsam_app.stacks.stack import PixelSize
from vrpsam_app.stacks.stack_files import open_stack

RNG = np.random.default_rng(0)
TZYXC = RNG.integers(0, 60_000, (2, 3, 24, 36, 2)).astype(np.uint16)
MAGIC = 0x0ABECEDA
UINT32, DOUBLE, BOOL, STRING, LEVEL = 3, 6, 1, 8, 11


def lite(name, value):
    """Encode a value as Nikon's "lite variant": type, name, value; levels hold others."""
    kind = {bool: BOOL, int: UINT32, float: DOUBLE, str: STRING, dict: LEVEL}[type(value)]
    title = (name + "\0").encode("utf-16-le")
    head = struct.pack("BB", kind, len(title) // 2) + title
    if isinstance(value, dict):
        inner = b"".join(lite(key, entry) for key, entry in value.items())
        length = len(head) + 12 + len(inner)
        return head + struct.pack("<IQ", len(value), length) + inner + bytes(8 * len(value))
    if isinstance(value, str):
        return head + (value + "\0").encode("utf-16-le")
    return head + struct.pack({BOOL: "<B", UINT32: "<I", DOUBLE: "<d"}[kind], value)


def description(array, frames, calibrated, probed):
    times, planes, height, width, samples = array.shape
    bits = array.dtype.itemsize * 8
    attributes = {
        "uiWidth": width,
        "uiWidthBytes": width * samples * array.dtype.itemsize,
        "uiHeight": height,
        "uiComp": samples,
        "uiBpcInMemory": bits,
        "uiBpcSignificant": bits,
        "uiSequenceCount": frames,
        "eCompression": 2,
    }
    z_loop = {
        "eType": 4,
        "uLoopPars": {"uiCount": planes, "dZStep": 2.0, "dZLow": 0.0, "dZHigh": 4.0},
    }
    t_loop = {
        "eType": 1,
        "uLoopPars": {"uiCount": times, "dStart": 0.0, "dPeriod": 1.0, "dDuration": 1.0},
        "ppNextLevelEx": {"i0": z_loop},
    }
    probe = {"pFluorescentProbe": {"m_ExcitationSpectrum": {"uiCount": 1}}} if probed else {}
    dyes = {
        f"a{c}": {"sDescription": f"dye {c}", "uiCompCount": 1, **probe} for c in range(samples)
    }
    picture = {
        "bCalibrated": calibrated,
        "dCalibration": 0.65,
        "sPicturePlanes": {"uiCount": samples, "uiCompCount": samples, "sPlaneNew": dyes},
    }
    return {
        b"ImageAttributesLV!": lite("SLxImageAttributes", attributes),
        b"ImageMetadataLV!": lite("SLxExperiment", t_loop),
        b"ImageMetadataSeqLV|0!": lite("SLxPictureMetadata", picture),
    }


def write(path, array=TZYXC, *, frames=None, calibrated=True, probed=True):
    """Write frames of shape (rows, columns, channels), one after the other."""
    flat = array.reshape(-1, *array.shape[2:])[:frames]
    chunks = description(array, len(flat), calibrated, probed)
    chunks |= {f"ImageDataSeq|{i}!".encode(): bytes(8) + f.tobytes() for i, f in enumerate(flat)}
    places = {}
    with path.open("wb") as file:
        start = b"ND2 FILE SIGNATURE CHUNK NAME01!"
        file.write(struct.pack("<IIQ", MAGIC, 32, 64) + start + b"Ver3.0".ljust(64, b"\0"))
        for name, data in chunks.items():
            places[name] = (file.tell(), len(data))
            room = 4072 if name.startswith(b"ImageDataSeq") else len(name)
            file.write(struct.pack("<IIQ", MAGIC, room, len(data)) + name.ljust(room, b"\0") + data)
        at = file.tell()
        table = b"".join(name + struct.pack("<QQ", *place) for name, place in places.items())
        end = b"ND2 CHUNK MAP SIGNATURE 0000001!"
        table += end + struct.pack("<QQ", at, 0)
        file.write(struct.pack("<IIQ", MAGIC, 32, len(table)))
        file.write(b"ND2 FILEMAP SIGNATURE NAME 0001!" + table)
        file.write(end + struct.pack("<Q", at))
    return path


def test_planes_axes_channels_and_size(tmp_path, everything):
    stack = open_stack(write(tmp_path / "a.nd2"), channels=["dye 1"])
    assert stack.axes == ("t", "z")
    assert stack.dtype == np.uint16
    assert stack.pixel_size == PixelSize(0.65, 0.65, 2.0, "um")
    assert np.array_equal(everything(stack), TZYXC[..., 1])


def test_an_image_that_was_not_calibrated_has_no_size(tmp_path):
    assert open_stack(write(tmp_path / "a.nd2", calibrated=False)).pixel_size is None


def test_channels_that_the_library_cannot_describe_are_read_all_the_same(tmp_path, everything):
    stack = open_stack(write(tmp_path / "a.nd2", probed=False), channels=[1])
    assert stack.pixel_size is None
    assert np.array_equal(everything(stack), TZYXC[..., 1])


def test_a_time_series_that_was_stopped_ends_with_what_is_complete(tmp_path, everything):
    stack = open_stack(write(tmp_path / "a.nd2", frames=5), channels=[0])
    assert stack.axes == ("z",)
    assert np.array_equal(everything(stack), TZYXC[0, ..., 0])
    with pytest.raises(ImageFileError, match="holds 2 frames of at least 3"):
        open_stack(write(tmp_path / "a.nd2", frames=2))


@pytest.mark.parametrize("share", [0.001, 0.5, 0.99])
def test_truncated_files_are_refused(tmp_path, share):
    path = write(tmp_path / "a.nd2")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ImageFileError, match=r"a\.nd2"):
        open_stack(path)


def test_a_file_can_be_sent_to_another_process(tmp_path):
    stack = open_stack(write(tmp_path / "a.nd2"), channels=[0])
    stack.plane((0, 0))
    assert np.array_equal(pickle.loads(pickle.dumps(stack)).plane((1, 2)), TZYXC[1, 2, ..., 0])


def test_the_extra_is_named_where_it_is_missing(tmp_path, monkeypatch):
    path = write(tmp_path / "a.nd2")
    monkeypatch.setitem(sys.modules, "nd2", None)
    with pytest.raises(MissingExtraError, match=r'pip install "vrpsam-app\[formats\]"'):
        open_stack(path)
