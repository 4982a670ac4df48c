"""ImageJ's regions of interest: a .zip for its ROI manager, exact along the edges of pixels."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vrpsam_app.errors import MissingExtraError, ObjectFileError, VRPSAMError
from vrpsam_app.exchange.object_plane import (
    FoundShape,
    ObjectPlane,
    class_names,
    plane_of,
)
from vrpsam_app.exchange.outlines import Outline, Ring, fill_rings, outlines_of
from vrpsam_app.image_files import write_whole

if TYPE_CHECKING:
    from roifile import ImagejRoi

MAX_ROIS, MAX_ROI_BYTES = 1_000_000, 64_000_000
"""Regions in a file, and bytes of one unpacked: more is a damaged file, or a bomb."""

# Segments of ImageJ's composite paths.
_MOVE, _LINE, _CLOSE = 0.0, 1.0, 4.0
_FARTHEST = 2**15 - 1  # ImageJ keeps whole coordinates in 16 bits
_GROUPS = 255


def require_roifile() -> None:
    """Make sure that ImageJ's regions can be read and written.

    Raises
    ------
    MissingExtraError
        If roifile is not installed.
    """
    try:
        import roifile  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            "ImageJ's regions need roifile, which is not installed. Run: "
            'pip install "vrpsam-app[objects]".'
        ) from error


def write_rois(path: str | Path, planes: Sequence[ObjectPlane], *, overwrite: bool = False) -> Path:
    """Write objects as a .zip that ImageJ and Fiji open in their ROI manager.

    Parameters
    ----------
    path : a name that ends in .zip
    planes : of one picture or stack
        Objects of a stack carry the position of their slice and frame.
    overwrite : replace a file that exists

    Raises
    ------
    OutputError
        If the file cannot be written. Nothing is left behind.
    ObjectFileError
        If there is no object: ImageJ takes an empty .zip for a damaged one.
    MissingExtraError
        If roifile is not installed.

    Notes
    -----
    Outlines are traced regions along the edges of pixels, composite ones where there are holes or
    several pieces: measured in ImageJ they have the same pixels. Each class is a group, of its own
    colour. The number of an object stands in its name and in its properties.
    """
    require_roifile()
    groups = {name: i % _GROUPS + 1 for i, name in enumerate(class_names(planes))}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for plane in planes:
            for number, patch in plane.objects():
                roi = _roi_of(outlines_of(patch), number, plane, groups)
                # A fixed date, so that equal objects give equal bytes.
                entry = zipfile.ZipInfo(f"{roi.name}.roi", date_time=(1980, 1, 1, 0, 0, 0))
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, roi.tobytes())
        if not archive.namelist():
            raise ObjectFileError(
                "There are no objects: ImageJ takes an archive without regions for a damaged one."
            )
    write_whole(Path(path), stream.getvalue(), overwrite=overwrite)
    return Path(path)


def read_rois(path: str | Path, hw: tuple[int, int], name: str = "") -> list[ObjectPlane]:
    """Read the regions of a .zip or .roi file.

    Parameters
    ----------
    path : as ImageJ, Fiji, StarDist or Cellpose write it
        Rectangles, ovals, polygons, freehand and traced regions, and composites of lines. Points
        and lines enclose nothing and are passed over.
    hw : height and width of the picture, which the file does not say
    name : of the picture

    Returns
    -------
    planes : one for each slice and frame that has regions
        A region's number is that which :func:`write_rois` gave it, else its place in the file.

    Raises
    ------
    ObjectFileError
        If the file is missing or damaged, or a region lies outside the picture.
    MissingExtraError
        If roifile is not installed.
    """
    require_roifile()
    path = Path(path)
    planes: dict[tuple[tuple[str, int], ...], list[FoundShape]] = {}
    outside = 0
    for label, roi in _rois_in(path):
        where = f"{path}: region {label}"
        rings = _rings_of(roi, where)
        if not rings:
            continue
        patch = fill_rings(rings, hw, name=where)
        if patch is None:
            outside += 1
            continue
        known = _properties(roi.props)
        number, group = known.get("id", ""), known.get("class")
        shape = FoundShape(patch, group, int(number) if number.isdecimal() else None)
        planes.setdefault(_position(roi), []).append(shape)
    if outside:
        raise ObjectFileError(
            f"{path} has {outside} regions without a pixel in a picture of {hw[0]} x {hw[1]} "
            "(rows x columns): do they belong to another one?"
        )
    found = [plane_of(shapes, hw, name, dict(place)) for place, shapes in sorted(planes.items())]
    return found or [plane_of([], hw, name)]


def _roi_of(
    outlines: Sequence[Outline], number: int, plane: ObjectPlane, groups: Mapping[str, int]
) -> ImagejRoi:
    """Return the region of one object."""
    from roifile import ROI_OPTIONS, ROI_TYPE, ImagejRoi

    single = len(outlines) == 1 and not outlines[0].holes
    border = outlines[0].border
    if single and border.max() <= _FARTHEST:
        roi = ImagejRoi.frompoints(border.astype(np.int32))
        roi.roitype = ROI_TYPE.TRACED
        # The box of the corners; frompoints takes them for pixels and adds one.
        roi.right, roi.bottom = roi.right - 1, roi.bottom - 1
    else:
        rings = [ring for outline in outlines for ring in (outline.border, *outline.holes)]
        corners = np.concatenate(rings)
        path = np.concatenate([_path(ring) for ring in rings])
        left, top = np.minimum(corners.min(axis=0), _FARTHEST).astype(int).tolist()
        right, bottom = np.minimum(corners.max(axis=0), _FARTHEST).astype(int).tolist()
        roi = ImagejRoi(
            roitype=ROI_TYPE.RECT,
            left=left,
            top=top,
            right=right,
            bottom=bottom,
            shape_roi_size=len(path),
            multi_coordinates=path.astype(np.float32),
        )
    roi.options = ROI_OPTIONS(0)
    class_name = plane.class_of(number)
    places = "".join(f"{axis}{place + 1:04}-" for axis, place in plane.position.items())
    roi.name = f"{places}{number:05}"
    roi.props = f"class: {class_name}\nid: {number}\n"
    roi.group = groups[class_name]
    for axis, place in plane.position.items():
        if axis in "czt":
            setattr(roi, f"{axis}_position", place + 1)
    if set(plane.position) == {"z"}:
        roi.position = plane.position["z"] + 1  # what ImageJ looks at in a plain stack
    return roi


def _path(ring: Ring) -> Ring:
    """Return a closed ring as ImageJ's path of one move, lines and a close."""
    steps = np.column_stack([np.full(len(ring), _LINE), ring])
    steps[0, 0] = _MOVE
    return np.append(steps.ravel(), _CLOSE)


def _rois_in(path: Path) -> Iterator[tuple[str, ImagejRoi]]:
    """Yield name and region of each entry."""
    from roifile import ImagejRoi

    try:
        if not zipfile.is_zipfile(path):
            data = path.read_bytes()
            if not data.startswith(b"Iout"):
                raise ObjectFileError(f"{path} holds no regions: expected ImageJ's .zip or .roi.")
            yield path.stem, ImagejRoi.frombytes(data)
            return
        with zipfile.ZipFile(path) as archive:
            entries = [e for e in archive.infolist() if e.filename.lower().endswith(".roi")]
            if not entries or len(entries) > MAX_ROIS:
                raise ObjectFileError(
                    f"{path} has {len(entries)} regions: expected 1 to {MAX_ROIS} in a .zip that "
                    "ImageJ's ROI manager saved."
                )
            for entry in entries:
                if entry.file_size > MAX_ROI_BYTES:
                    raise ObjectFileError(f"{path}: {entry.filename} is too large for a region.")
                yield entry.filename, ImagejRoi.frombytes(archive.read(entry))
    except VRPSAMError:
        raise
    except Exception as error:  # a decoder may raise anything on a damaged file
        reason = getattr(error, "strerror", None) or error
        raise ObjectFileError(
            f"{path} cannot be read ({reason}). Save it from ImageJ again."
        ) from (error)


def _rings_of(roi: ImagejRoi, where: str) -> list[Ring]:
    """Return the borders of a region, none if it encloses nothing."""
    from roifile import ROI_TYPE

    enclosing = (
        ROI_TYPE.RECT,
        ROI_TYPE.OVAL,
        ROI_TYPE.POLYGON,
        ROI_TYPE.FREEHAND,
        ROI_TYPE.TRACED,
    )
    if roi.roitype not in enclosing:
        return []
    try:
        rings: Any = roi.coordinates(multi=True)
    except (NotImplementedError, RuntimeError) as error:
        raise ObjectFileError(
            f"{where} has curves, which are not read ({error}). In ImageJ, convert it to a polygon."
        ) from error
    return [np.asarray(ring, np.float64) for ring in rings if len(ring) >= 3]


def _position(roi: ImagejRoi) -> tuple[tuple[str, int], ...]:
    """Return where in a stack a region lies, from 0; () if it lies in every plane."""
    places = {"t": roi.t_position, "z": roi.z_position or (0 if roi.t_position else roi.position)}
    return tuple((axis, place - 1) for axis, place in places.items() if place > 0)


def _properties(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}
