"""Pixel sizes as programs write them into TIFF files."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from vrpsam_app.readers.tiff_metadata import OWN_AXES
from vrpsam_app.stacks.stack import PixelSize
from vrpsam_app.stacks.stack_files import open_stack

RNG = np.random.default_rng(0)
TZ = RNG.integers(0, 60_000, (3, 4, 24, 36)).astype(np.uint16)
RGB = RNG.integers(0, 256, (5, 24, 36, 3)).astype(np.uint8)


def test_imagej_spacing_without_a_unit_is_no_size(path):
    tifffile.imwrite(path, TZ[0], imagej=True, metadata={"axes": "ZYX", "spacing": 2.0})
    stack = open_stack(path)
    assert stack.pixel_size is None
    assert stack.unit == "px"


@pytest.mark.parametrize("unit", ["\\u00B5m", "micron", "µm"])
def test_imagej_spells_micrometres_in_several_ways(path, unit):
    description = f"ImageJ=1.54f\nimages=4\nslices=4\nunit={unit}\nspacing=3.0\n"
    tifffile.imwrite(
        path,
        TZ[0],
        photometric="minisblack",
        description=description.encode("latin1"),
        metadata=None,
        resolution=(2, 4),
        resolutionunit="none",
    )
    assert open_stack(path).pixel_size == PixelSize(0.25, 0.5, 3.0, "um")


@pytest.mark.parametrize(
    ("units", "size"),
    [
        ({"zunit": "nm"}, PixelSize(0.25, 0.5, 0.4, "um")),
        ({"yunit": "mm"}, PixelSize(250.0, 0.5, 400.0, "um")),
        ({"zunit": "frame"}, PixelSize(0.25, 0.5, None, "um")),
    ],
)
def test_imagej_has_units_of_rows_and_planes_where_they_differ(path, units, size):
    metadata = {"axes": "ZYX", "unit": "um", "spacing": 400.0, **units}
    tifffile.imwrite(path, TZ[0], imagej=True, metadata=metadata, resolution=(2, 4))
    assert open_stack(path).pixel_size == size


@pytest.mark.parametrize(
    ("resolution", "unit", "size"),
    [
        ((20_000, 10_000), "centimeter", PixelSize(1.0, 0.5, None, "um")),
        ((72 / 2.54, 72 / 2.54), "centimeter", None),
        ((300, 300), "inch", None),
    ],
)
def test_plain_resolutions_are_believed_only_per_centimetre(path, resolution, unit, size):
    tifffile.imwrite(path, TZ[0, 0], resolution=resolution, resolutionunit=unit, metadata=None)
    assert open_stack(path).pixel_size == size


def test_slides_of_aperio_say_their_scale(path):
    description = "Aperio Image Library v1.0\r\n96x64 (16x16) |AppMag = 20|MPP = 0.4990|"
    tifffile.imwrite(
        path,
        RGB[0],
        photometric="rgb",
        tile=(16, 16),
        description=description,
        metadata=None,
    )
    assert open_stack(path).pixel_size == PixelSize(0.499, 0.499)


@pytest.mark.parametrize("said", [[], ["p"], "pyx", None])
def test_axes_that_do_not_fit_are_not_believed(path, said):
    tifffile.imwrite(path, TZ[0], photometric="minisblack", metadata={OWN_AXES: said})
    assert open_stack(path).axes == ("z",)
