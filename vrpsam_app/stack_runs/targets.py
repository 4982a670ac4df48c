"""Which targets are stacks, and the names of what is written for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from numpy.typing import NDArray

from vrpsam_app.errors import ConfigError, ImageError, VRPSAMError
from vrpsam_app.image_files import IMAGE_SUFFIXES, MAX_PIXELS, read_image
from vrpsam_app.output_paths import free_name
from vrpsam_app.stacks.stack import PixelSize, Stack
from vrpsam_app.stacks.stack_files import open_stack

StackForm = Literal["ome-zarr", "zarr", "tif"]

# Never a stack, so that a folder of thousands of them is not opened twice.
_PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif"})
_TIFF = frozenset({".tif", ".tiff"})


@dataclass(frozen=True, eq=False)
class StackTarget:
    """A stack that is to be segmented.

    Attributes
    ----------
    path : of the file or folder
    stack : opened; no pixel was read
    out : where its labels go
    """

    path: Path
    stack: Stack
    out: Path


@dataclass(frozen=True, slots=True)
class StackReading:
    """How files are opened: what :func:`vrpsam_app.stacks.stack_files.open_stack` takes."""

    channels: tuple[int | str, ...] | None = None
    axes: tuple[str, ...] | None = None
    pixel_size: PixelSize | None = None
    scene: int | str | None = None
    max_pixels: int = MAX_PIXELS

    @property
    def chooses(self) -> bool:
        """Whether only a part of what a file holds is meant, which plain pictures do not know."""
        return self.channels is not None or self.scene is not None

    def open(self, path: Path) -> Stack:
        """Open a file or folder."""
        return open_stack(
            path,
            channels=self.channels,
            axes=self.axes,
            pixel_size=self.pixel_size,
            scene=self.scene,
            max_pixels=self.max_pixels,
        )


def sort_targets(
    paths: Sequence[Path], folder: Path, reading: StackReading, form: StackForm | None = None
) -> tuple[list[Path], list[StackTarget]]:
    """Tell pictures from stacks.

    A target is a stack if it has an axis besides rows, columns and colours, or is no picture that
    :func:`vrpsam_app.image_files.read_image` reads, such as a single plane in Zarr or NIfTI, or one
    of the channels or images of a file. What
    cannot be opened stays among the pictures, where its error is reported and stops nothing.

    Parameters
    ----------
    paths : files and folders
    folder : where results go
    reading : how files are opened
    form : of the results of stacks; None takes TIFF for TIFF and OME-Zarr for all else

    Raises
    ------
    ConfigError
        If the form is unknown.
    """
    if form is not None and form not in get_args(StackForm):
        raise ConfigError(f"Stacks as {form!r}: expected one of {', '.join(get_args(StackForm))}.")
    pictures: list[Path] = []
    stacks: list[tuple[Path, Stack]] = []
    for path in paths:
        if path.suffix.lower() in _PICTURES:
            pictures.append(path)
            continue
        try:
            stack = reading.open(path)
        except (VRPSAMError, OSError):
            if path.suffix.lower() not in IMAGE_SUFFIXES:
                raise
            pictures.append(path)
            continue
        height, width = stack.plane_hw
        plain = height * width <= reading.max_pixels and not stack.axes and not reading.chooses
        if plain and path.suffix.lower() in IMAGE_SUFFIXES:
            pictures.append(path)
        else:
            stacks.append((path, stack))
    # Pictures count too: objects of a.png and of the stack a.tif would have one name.
    stems = Counter(_stem(path).casefold() for path in (*pictures, *(p for p, _ in stacks)))
    targets = []
    taken: set[str] = set()
    for path, stack in stacks:
        name = _stem(path)
        if stems[name.casefold()] > 1:
            name = f"{path.resolve().parent.name}_{path.name.replace('.', '_')}"
        name = free_name(name, taken)
        ending = form or ("tif" if path.suffix.lower() in _TIFF else "ome-zarr")
        out = folder / f"{name}_labels.{ending.replace('-', '.')}"
        targets.append(StackTarget(path, stack, out))
    return pictures, targets


def read_slice(path: Path, text: str | None, reading: StackReading) -> NDArray[Any]:
    """Read the plane of a file on which marks are made.

    Parameters
    ----------
    path : a picture, or any stack
    text : which plane of a stack: ``"12"``, ``"3,12"`` in the order of the axes, or ``"t=3,z=12"``

    Raises
    ------
    ImageError
        If there is no such plane, or a stack comes without a choice.
    """
    if text is None and path.suffix.lower() in _PICTURES:
        return read_image(path, max_pixels=reading.max_pixels)
    try:
        stack = reading.open(path)
    except (VRPSAMError, OSError):
        if text is None and path.suffix.lower() in IMAGE_SUFFIXES:
            return read_image(path, max_pixels=reading.max_pixels)  # says what is wrong with it
        raise
    if not stack.axes and text is None:
        if path.suffix.lower() in IMAGE_SUFFIXES and not reading.chooses:
            return read_image(path, max_pixels=reading.max_pixels)
        return stack.plane()
    return stack.plane(slice_index(text, stack))


def slice_index(text: str | None, stack: Stack) -> tuple[int, ...]:
    """Read which plane is meant.

    Raises
    ------
    ImageError
        If the axes and the text do not fit.
    """
    axes = ", ".join(
        f"{axis} (0 to {length - 1})"
        for axis, length in zip(stack.axes, stack.leading_shape, strict=True)
    )
    expected = f"{stack.name} has the axes {axes or 'of a single plane'}: expected "
    example = ",".join(
        f"{axis}={n // 2}" for axis, n in zip(stack.axes, stack.leading_shape, strict=True)
    )
    if text is None:
        raise ImageError(f"{expected}a slice such as --slice {example}.")
    named: dict[str, int] = {}
    try:
        for place, part in enumerate(text.split(",")):
            axis, equals, number = part.rpartition("=")
            named[axis.strip() if equals else stack.axes[place]] = int(number)
    except (ValueError, IndexError) as error:
        raise ImageError(
            f"Slice {text!r}: {expected}numbers such as {example or 'none'}."
        ) from error
    if set(named) != set(stack.axes):
        raise ImageError(f"Slice {text!r}: {expected}one number for each, such as {example}.")
    return tuple(named[axis] for axis in stack.axes)


def common_pixel_size(paths: Sequence[Path], reading: StackReading) -> PixelSize | None:
    """Return the pixel size that all files say, None if one says nothing or another one."""
    sizes = set()
    for path in paths:
        if path.suffix.lower() in _PICTURES:
            return None
        try:
            sizes.add(reading.open(path).pixel_size)
        except (VRPSAMError, OSError):
            return None
    return sizes.pop() if len(sizes) == 1 else None


def _stem(path: Path) -> str:
    """Return a name without its endings, .ome.tif and .nii.gz as well."""
    name = path.name
    for ending in (".ome.zarr", ".ome.tiff", ".ome.tif", ".nii.gz"):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return path.stem
