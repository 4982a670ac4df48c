"""The frames of a DICOM series: where each lies, and in which order they make a stack."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import ImageFileError
from vrpsam_app.readers.picture import natural_key
from vrpsam_app.readers.stated_size import stated_size
from vrpsam_app.stacks.axes import UNKNOWN
from vrpsam_app.stacks.stack import PixelSize

# Positions that differ by less are the same, in millimetres; and cosines of directions likewise.
_SAME_MM, _SAME_COSINE = 1e-3, 1e-3
# How much the distances of planes may differ and still be one distance.
_EVEN = 0.01
_ORDER = ("TemporalPositionIdentifier", "AcquisitionNumber", "TriggerTime", "InstanceNumber")


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One plane of a series.

    Attributes
    ----------
    path, index : its file, and which frame of it
    position : distance along the normal of the planes in mm, None if it is unknown
    direction : shape (6,), cosines of rows and columns, None if they are unknown
    order : what sorts frames at the same position, and those without one
    """

    path: Path
    index: int
    position: float | None
    direction: NDArray[np.float64] | None
    order: tuple[Any, ...]


def frames_of(path: Path, header: Any) -> list[Frame]:
    """Return the frames of a file, one in most."""
    count = int(header.get("NumberOfFrames") or 1)
    groups = header.get("PerFrameFunctionalGroupsSequence") or [None] * count
    shared = _first(header, "SharedFunctionalGroupsSequence")
    order = tuple(_number(header.get(name)) for name in _ORDER)
    frames = []
    for index in range(count):
        own = groups[index] if index < len(groups) else None
        direction = _numbers(
            _stated(header, shared, own, "PlaneOrientationSequence", "ImageOrientationPatient"), 6
        )
        place = _numbers(
            _stated(header, shared, own, "PlanePositionSequence", "ImagePositionPatient"), 3
        )
        position: float | None
        if place is not None and direction is not None:
            position = float(np.cross(direction[:3], direction[3:]) @ place)
        else:
            position = None if count > 1 else _number(header.get("SliceLocation"), None)
        key = (*order, natural_key(path), index)
        frames.append(Frame(path, index, position, direction, key))
    return frames


def in_order(frames: Sequence[Frame]) -> tuple[NDArray[np.object_], tuple[str, ...], float | None]:
    """Sort the frames of a series.

    Returns
    -------
    frames : shape (planes,), or (times, planes) where every position occurs as often
    axes : "z" by position; UNKNOWN in the order of their numbers where positions are unknown
    spacing : distance of planes in mm, None if it is unknown or uneven

    Raises
    ------
    ImageFileError
        If planes lie in different directions, or some positions occur more often than others.
    """
    first = frames[0]
    if any(frame.position is None for frame in frames):
        return _array(sorted(frames, key=lambda f: f.order)), (UNKNOWN,), None
    for frame in frames:
        if not _same_direction(frame, first):
            raise ImageFileError(
                f"{frame.path} lies in another direction than {first.path.name}: expected the "
                "parallel planes of one series. Move it to a folder of its own."
            )
    ordered = sorted(frames, key=lambda f: (round((f.position or 0) / _SAME_MM), f.order))
    levels = [round((frame.position or 0) / _SAME_MM) for frame in ordered]
    counts = Counter(levels)
    times = max(counts.values())
    for frame, level in zip(ordered, levels, strict=True):
        if counts[level] < times:
            raise ImageFileError(
                f"{frame.path.parent} has {times} planes at some positions, but {counts[level]} at "
                f"that of {frame.path.name}: files are missing, or of another series. Copy the "
                "series again."
            )
    positions = np.unique(levels) * _SAME_MM
    planes = _array(ordered).reshape(len(positions), times)
    if times == 1:
        return planes[:, 0], ("z",), _spacing(positions)
    return planes.T, (UNKNOWN, "z"), _spacing(positions)


def pixel_spacing(header: Any, spacing: float | None) -> PixelSize | None:
    """Return the pixel size of a file in millimetres; `spacing` is that of the planes."""
    shared = _first(header, "SharedFunctionalGroupsSequence")
    own = _first(header, "PerFrameFunctionalGroupsSequence")
    sizes = _numbers(_stated(header, shared, own, "PixelMeasuresSequence", "PixelSpacing"), 2)
    if sizes is None:
        return None
    between = spacing if spacing is not None else header.get("SpacingBetweenSlices")
    return stated_size(sizes[0], sizes[1], between, "mm")


def _array(frames: Sequence[Frame]) -> NDArray[np.object_]:
    array = np.empty(len(frames), np.object_)
    array[:] = frames
    return array


def _spacing(positions: NDArray[np.float64]) -> float | None:
    if len(positions) < 2:
        return None
    steps = np.diff(positions)
    middle = float(np.median(steps))
    return middle if np.all(np.abs(steps - middle) <= _EVEN * middle) else None


def _same_direction(one: Frame, other: Frame) -> bool:
    if one.direction is None or other.direction is None:
        return one.direction is other.direction
    return bool(np.all(np.abs(one.direction - other.direction) < _SAME_COSINE))


def _first(header: Any, name: str) -> Any:
    sequence = header.get(name)
    return sequence[0] if sequence else None


def _stated(header: Any, shared: Any, own: Any, group: str, name: str) -> Any:
    """Return a value of the frame, or of all frames of a file, or of the file."""
    for functional in (own, shared):
        if functional is not None and functional.get(group):
            value = functional.get(group)[0].get(name)
            if value is not None:
                return value
    return header.get(name)


def _number(value: Any, default: float | None = 0.0) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):
        return default


def _numbers(value: Any, count: int) -> NDArray[np.float64] | None:
    try:
        numbers = np.array([float(v) for v in value], np.float64)
    except (TypeError, ValueError):
        return None
    return numbers if numbers.shape == (count,) and np.all(np.isfinite(numbers)) else None
