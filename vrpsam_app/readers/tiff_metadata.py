"""Pixel size and channel names from what programs write into TIFF files."""

from __future__ import annotations

import json
import re
from typing import Any
from xml.etree import ElementTree

from vrpsam_app.readers.stated_size import own_size, stated_size
from vrpsam_app.stacks.stack import PixelSize

OWN_AXES = "vrpsam_axes"
"""Under this name results carry axes that neither ImageJ nor OME knows."""
# Value of the TIFF 6.0 tag ResolutionUnit, and resolutions that printers and screens have: they
# say nothing about a specimen. In dots per inch; a difference of 0.1 % is rounding.
_CENTIMETRE = 3
_PRINTED_DPI = (72, 75, 96, 100, 120, 150, 200, 300, 400, 600, 1200, 2400)
_APERIO_MPP = re.compile(r"\bMPP\s*=\s*([0-9.eE+-]+)")


def pixel_size_of(file: Any, series: Any, scene: int) -> PixelSize | None:
    """Return the pixel size that a TIFF file states.

    Parameters
    ----------
    file : an open ``tifffile.TiffFile``
    series, scene : the ``tifffile.TiffPageSeries`` in it, and its number

    Returns
    -------
    size : from OME-XML, ImageJ, Zeiss LSM, MetaMorph STK, Micro-Manager or Aperio, in this order;
        else what this program wrote, or the resolution per centimetre, unless it is one of printers
        and screens. A resolution per inch is not believed. None if nothing is known.
    """
    if file.is_ome:
        return _ome_size(_ome_pixels(file, scene))
    if file.is_imagej:
        return _imagej_size(file, series)
    if file.is_lsm:
        lsm = file.lsm_metadata or {}
        rows, cols, planes = (lsm.get(f"VoxelSize{axis}") for axis in "YXZ")
        metres = stated_size(rows, cols, planes, "m")
        return metres and metres.to("um")
    if file.is_stk:
        stk = file.stk_metadata or {}
        distances = stk.get("ZDistance")
        plane = None if distances is None or len(distances) == 0 else distances[0]
        unit = stk.get("CalibrationUnits")
        return stated_size(stk.get("YCalibration"), stk.get("XCalibration"), plane, unit)
    if file.is_micromanager:
        summary = _summary(file)
        pixel = summary.get("PixelSize_um")
        return stated_size(pixel, pixel, summary.get("z-step_um"))
    keyframe = series.keyframe
    if file.is_svs and (mpp := _APERIO_MPP.search(keyframe.description)):
        return stated_size(mpp[1], mpp[1])
    return own_size(_own_metadata(series)) or _centimetre_size(keyframe)


def own_axes(series: Any) -> tuple[str, ...]:
    """Return the names of axes that this program wrote, () if it did not."""
    names = _own_metadata(series).get(OWN_AXES)
    if not isinstance(names, list) or len(names) != len(series.shape):
        return ()
    return tuple(map(str, names))


def _own_metadata(series: Any) -> dict[str, Any]:
    if not series.keyframe.is_shaped:
        return {}
    try:
        said = json.loads(series.keyframe.description)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def channel_names_of(file: Any, scene: int) -> tuple[str, ...]:
    """Return the names of channels that OME-XML or Micro-Manager gave, () if there are none."""
    if file.is_ome:
        pixels = _ome_pixels(file, scene)
        channels = [] if pixels is None else pixels.findall("{*}Channel")
        return tuple(channel.get("Name") or channel.get("Fluor") or "" for channel in channels)
    if file.is_micromanager:
        names = _summary(file).get("ChNames")
        return tuple(map(str, names)) if isinstance(names, (list, tuple)) else ()
    return ()


def files_named_in(omexml: str) -> list[str]:
    """Return the names of the files that OME-XML distributes an image over, each once."""
    root = _parsed(omexml)
    if root is None:
        return []
    names = (uuid.get("FileName") for uuid in root.iter() if uuid.tag.endswith("}UUID"))
    return list(dict.fromkeys(name for name in names if name))


def described_by(omexml: str) -> str | None:
    """Return the file that holds the description of an image, None if it is this one."""
    root = _parsed(omexml)
    only = None if root is None else root.find("{*}BinaryOnly")
    return None if only is None else only.get("MetadataFile")


def _summary(file: Any) -> dict[str, Any]:
    summary = (file.micromanager_metadata or {}).get("Summary")
    return summary if isinstance(summary, dict) else {}


def _parsed(omexml: str | None) -> ElementTree.Element | None:
    try:
        return ElementTree.fromstring(omexml or "")
    except ElementTree.ParseError:
        return None


def _ome_pixels(file: Any, scene: int) -> ElementTree.Element | None:
    root = _parsed(file.ome_metadata)
    found = [] if root is None else root.findall("{*}Image/{*}Pixels")
    return found[scene] if scene < len(found) else None


def _ome_size(pixels: ElementTree.Element | None) -> PixelSize | None:
    if pixels is None:
        return None
    rows, cols, planes = (pixels.get(f"PhysicalSize{axis}") for axis in "YXZ")
    # Micrometres are what OME's schema says of sizes without a unit.
    units = tuple(pixels.get(f"PhysicalSize{axis}Unit", "um") for axis in "YXZ")
    return stated_size(rows, cols, planes, units)


def _imagej_size(file: Any, series: Any) -> PixelSize | None:
    """ImageJ writes pixels per unit into the resolution, and units into its own text.

    Those of rows and planes stand there only if they are not that of the columns.
    """
    meta = file.imagej_metadata or {}
    unit = meta.get("unit")
    units = (meta.get("yunit", unit), unit, meta.get("zunit", unit))
    cols, rows = _resolution(series.keyframe)
    spacing = meta.get("spacing")
    return stated_size(1 / rows if rows else None, 1 / cols if cols else None, spacing, units)


def _centimetre_size(page: Any) -> PixelSize | None:
    if page.resolutionunit != _CENTIMETRE:
        return None
    cols, rows = _resolution(page)
    if not cols or not rows:
        return None
    printed = any(abs(cols * 2.54 - dpi) < 1e-3 * dpi for dpi in _PRINTED_DPI)
    size = None if printed else stated_size(1 / rows, 1 / cols, None, "cm")
    return size and size.to("um")


def _resolution(page: Any) -> tuple[float, float]:
    """Return columns and rows per unit, 0 where nothing is stated."""
    values = []
    for name in ("XResolution", "YResolution"):
        tag = page.tags.get(name)
        over, under = tag.value if tag is not None and len(tag.value) == 2 else (0, 1)
        values.append(over / under if under else 0.0)
    return values[0], values[1]
