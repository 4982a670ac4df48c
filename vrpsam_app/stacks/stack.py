"""An image of any number of planes, read when it is needed, with its axes and its pixel size."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import ImageError

if TYPE_CHECKING:
    import dask.array as da

# Metres in each unit, under the name that results carry.
_METRES = {
    "m": 1.0,
    "cm": 1e-2,
    "mm": 1e-3,
    "um": 1e-6,
    "nm": 1e-9,
    "pm": 1e-12,
    "inch": 0.0254,
    "angstrom": 1e-10,
}
# What the same units are called in files and by people; compared in lower case.
_UNIT_NAMES = {
    "meter": "m",
    "metre": "m",
    "centimeter": "cm",
    "centimetre": "cm",
    "millimeter": "mm",
    "millimetre": "mm",
    "µm": "um",
    "μm": "um",
    "micron": "um",
    "micrometer": "um",
    "micrometre": "um",
    "\\u00b5m": "um",  # as ImageJ spells it in TIFF
    "nanometer": "nm",
    "nanometre": "nm",
    "picometer": "pm",
    "picometre": "pm",
    "in": "inch",
    "å": "angstrom",
}
# Stands for a unit of length where nothing is known.
PIXEL_UNIT = "px"


def unit_of_length(name: str) -> str | None:
    """Return the name that results carry for a unit of length, None if it is not one.

    Parameters
    ----------
    name : such as ``"µm"``, ``"micron"``, ``"MICROMETER"``, ``"nm"``
    """
    lower = name.strip().lower()
    plain = _UNIT_NAMES.get(lower) or _UNIT_NAMES.get(lower.removesuffix("s"), lower)
    return plain if plain in _METRES else None


@dataclass(frozen=True, slots=True)
class PixelSize:
    """Physical distance of neighbouring pixels.

    Attributes
    ----------
    row, col : distance of neighbouring rows and columns; positive
    plane : distance of neighbouring planes of a z-stack; None if it is unknown or there is no z
    unit : ``um``, ``nm``, ``mm``, ``cm``, ``m``, ``pm``, ``inch`` or ``angstrom``
        Other names of these (``µm``, ``micron``, ``nanometer``) are accepted and replaced.

    Raises
    ------
    ImageError
        If a distance is not positive and finite, or the unit is no unit of length.
    """

    row: float
    col: float
    plane: float | None = None
    unit: str = "um"

    def __post_init__(self) -> None:
        for field in ("row", "col", "plane"):
            value = getattr(self, field)
            if value is None and field == "plane":
                continue
            try:
                number = float(value)
            except (TypeError, ValueError) as error:
                raise ImageError(
                    f"Pixel size {field}={value!r} is invalid: expected a number."
                ) from error
            if not (math.isfinite(number) and number > 0):
                raise ImageError(
                    f"Pixel size {field}={value} is invalid: expected a positive number, the "
                    "distance of neighbouring pixels."
                )
            object.__setattr__(self, field, number)
        unit = unit_of_length(self.unit) if isinstance(self.unit, str) else None
        if unit is None:
            raise ImageError(
                f"Unit {self.unit!r} is no unit of length: expected one of {', '.join(_METRES)}."
            )
        object.__setattr__(self, "unit", unit)

    def to(self, unit: str) -> PixelSize:
        """Return the same size in another unit.

        Raises
        ------
        ImageError
            If `unit` is no unit of length.

        Examples
        --------
        >>> PixelSize(650, 650, unit="nm").to("um")
        PixelSize(row=0.65, col=0.65, plane=None, unit='um')
        """
        other = PixelSize(1, 1, unit=unit).unit
        factor = _METRES[self.unit] / _METRES[other]

        def scaled(distance: float) -> float:
            # To 12 digits, so that 650 nm are 0.65 um and not 0.6500000000000001.
            return float(f"{distance * factor:.12g}")

        plane = None if self.plane is None else scaled(self.plane)
        return PixelSize(scaled(self.row), scaled(self.col), plane, other)

    def __str__(self) -> str:
        depth = "" if self.plane is None else f" x {self.plane:g}"
        return f"{self.row:g} x {self.col:g}{depth} {self.unit}"


@dataclass(frozen=True, eq=False)
class Stack:
    """Planes of equal size along any number of named axes; none is read before it is asked for.

    Attributes
    ----------
    data : dask array, shape (..., rows, cols), (..., rows, cols, 3) or (..., rows, cols, 4)
        Booleans, integers or floats, as stored. What the readers of this package give has one
        plane, or a part of one, in each chunk.
    axes : names of the leading axes, such as ``("t", "z")``; ``()`` for a single plane
    color : whether the last axis holds RGB or RGBA
    pixel_size : None if it is unknown; whatever is measured is then in pixels, "px"
    name : what messages and results call the stack
    channels : names of two or three channels of a file that are shown as colours, in their order
        Of two, the first is shown in red and blue. Empty for grey, and for pictures in colour.

    Raises
    ------
    ImageError
        If the parts do not fit each other. The message says which.
    """

    data: da.Array
    axes: tuple[str, ...] = ()
    color: bool = False
    pixel_size: PixelSize | None = None
    name: str = "stack"
    channels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        import dask.array as da

        if not isinstance(self.data, da.Array):
            raise ImageError(
                f"The data of {self.name} are {type(self.data).__name__}: expected a dask array. "
                "Call Stack.from_array(array)."
            )
        object.__setattr__(self, "axes", tuple(self.axes))
        if len(self.axes) + 2 + self.color != self.data.ndim:
            expected = [*self.axes, "rows", "cols", *(["colour"] if self.color else [])]
            raise ImageError(
                f"{self.name} has shape {self.data.shape}: expected ({', '.join(expected)}). Name "
                "every axis before the rows."
            )
        if len(set(self.axes)) < len(self.axes) or not all(self.axes):
            raise ImageError(f"Axes {self.axes} of {self.name}: expected different names.")
        if self.color and self.data.shape[-1] not in (3, 4):
            raise ImageError(
                f"{self.name} has {self.data.shape[-1]} colours: expected 3 (RGB) or 4 (RGBA)."
            )
        if self.channels and not (self.color and 2 <= len(self.channels) <= self.data.shape[-1]):
            raise ImageError(
                f"{self.name} has channels {', '.join(self.channels)}: expected as many names as "
                "there are colours, or two."
            )
        if 0 in self.data.shape or any(math.isnan(n) for n in self.data.shape):
            raise ImageError(
                f"{self.name} has shape {self.data.shape}: expected known lengths above 0."
            )
        if self.data.dtype.kind not in "buif":
            raise ImageError(
                f"{self.name} has type {self.data.dtype}: expected booleans, integers or floats."
            )

    @classmethod
    def from_array(
        cls,
        array: Any,
        *,
        axes: Sequence[str] | None = None,
        color: bool | None = None,
        pixel_size: PixelSize | None = None,
        name: str = "array",
    ) -> Stack:
        """Take an array that is in memory, mapped from disk, or lazy.

        Parameters
        ----------
        array : shape (..., rows, cols) or (..., rows, cols, 3 | 4)
            NumPy, dask, Zarr, or anything with shape, dtype and slices. A dask array keeps its
            chunks, all else is cut into planes.
        axes : names of the leading axes; None takes ``z`` for one, ``t, z`` for two, and
            ``i, j, ...`` before these for more
        color : None takes a last axis of 3 or 4 after at least two others for colours

        Raises
        ------
        ImageError
            If this is no stack of planes.
        """
        import dask.array as da

        if not (hasattr(array, "shape") and hasattr(array, "dtype")):
            array = np.asarray(array)
        shape = tuple(array.shape)
        if color is None:
            color = len(shape) >= 3 and shape[-1] in (3, 4)
        leading = len(shape) - 2 - color
        if leading < 0:
            raise ImageError(f"{name} has shape {shape}: expected (..., rows, cols).")
        if axes is None:
            axes = [*"ijklmn"[: max(0, leading - 2)], "t", "z"][-leading:] if leading else []
        if not isinstance(array, da.Array):
            chunks = (1,) * leading + shape[leading:]
            array = da.from_array(array, chunks=chunks, name=False)  # type: ignore[no-untyped-call]
        return cls(array, tuple(axes), color, pixel_size, name)

    @property
    def leading_shape(self) -> tuple[int, ...]:
        """Lengths of the leading axes, () for a single plane."""
        return tuple(self.data.shape[: len(self.axes)])

    @property
    def plane_hw(self) -> tuple[int, int]:
        """Rows and columns of each plane."""
        rows, cols = self.data.shape[len(self.axes) : len(self.axes) + 2]
        return rows, cols

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixels, as stored."""
        dtype: np.dtype[Any] = self.data.dtype
        return dtype

    @property
    def plane_count(self) -> int:
        """Number of planes, 1 for a single one."""
        return math.prod(self.leading_shape)

    @property
    def unit(self) -> str:
        """Unit that lengths are given in: that of the pixel size, or "px"."""
        return PIXEL_UNIT if self.pixel_size is None else self.pixel_size.unit

    def indices(self) -> Iterator[tuple[int, ...]]:
        """Yield the index of every plane, the last axis running fastest; ``()`` for a plane."""
        return itertools.product(*map(range, self.leading_shape))

    def plane(self, index: Sequence[int] = ()) -> NDArray[Any]:
        """Read one plane and no other.

        Parameters
        ----------
        index : one number for each leading axis, from 0

        Returns
        -------
        plane : shape (rows, cols), (rows, cols, 3) or (rows, cols, 4), native byte order

        Raises
        ------
        ImageError
            If there is no such plane.
        ImageFileError
            If the file it stands in cannot be read any more.
        """
        lazy = self.data[self._checked(index)]
        # Read here, whatever scheduler the process has; one chunk needs no threads.
        scheduler = "synchronous" if lazy.npartitions == 1 else "threads"
        plane = np.asarray(lazy.compute(scheduler=scheduler))
        return plane if plane.dtype.isnative else plane.astype(plane.dtype.newbyteorder("="))

    def intensities(self, index: Sequence[int] = ()) -> NDArray[Any]:
        """Read one plane as it is measured: as :meth:`plane`, but each of the channels once."""
        plane = self.plane(index)
        return plane[..., : len(self.channels)] if self.channels else plane

    def _checked(self, index: Sequence[int]) -> tuple[int, ...]:
        try:
            numbers = tuple(operator.index(i) for i in index)
        except TypeError as error:
            raise ImageError(
                f"Plane {index!r} of {self.name}: expected a tuple of whole numbers."
            ) from error
        shape = self.leading_shape
        if len(numbers) != len(shape):
            raise ImageError(
                f"Plane {numbers} of {self.name}: expected {len(shape)} numbers, one for each of "
                f"the axes ({', '.join(self.axes)})."
            )
        for axis, number, length in zip(self.axes, numbers, shape, strict=True):
            if not 0 <= number < length:
                raise ImageError(
                    f"Plane {numbers} of {self.name}: axis {axis} goes from 0 to {length - 1}."
                )
        return numbers
