"""Which targets are stacks and which pictures, how both are read, and the names of results."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from numpy.typing import NDArray

from vrpsam_app.errors import ConfigError, ImageError, VRPSAMError
from vrpsam_app.image_files import IMAGE_SUFFIXES, MAX_PIXELS, read_header, read_image
from vrpsam_app.output_paths import free_name, image_stem
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
    """How files are opened: what :func:`vrpsam_app.stacks.stack_files.open_stack` takes.

    Attributes
    ----------
    plain : files that are known to be pictures as they are, and are not looked at again
    """

    channels: tuple[int | str, ...] | None = None
    axes: tuple[str, ...] | None = None
    pixel_size: PixelSize | None = None
    scene: int | str | None = None
    max_pixels: int = MAX_PIXELS
    plain: frozenset[Path] = field(default=frozenset(), compare=False, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return what was said, from which :meth:`from_json` makes an equal choice."""
        size = self.pixel_size
        said = {
            "channels": None if self.channels is None else list(self.channels),
            "axes": None if self.axes is None else list(self.axes),
            "scene": self.scene,
            "pixel_size": None if size is None else [size.row, size.col, size.plane, size.unit],
        }
        return {name: value for name, value in said.items() if value is not None}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], *, max_pixels: int = MAX_PIXELS) -> StackReading:
        """Read what a recipe says of it.

        Raises
        ------
        ConfigError
            If it is nothing that :meth:`to_json` writes.
        """
        channels, axes, size = (data.get(name) for name in ("channels", "axes", "pixel_size"))
        try:
            return cls(
                channels=None if channels is None else tuple(channels),
                axes=None if axes is None else tuple(axes),
                pixel_size=None if size is None else PixelSize(*size),
                scene=data.get("scene"),
                max_pixels=max_pixels,
            )
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"How files were opened, {dict(data)!r}, cannot be read ({error}). Use a copy of "
                "the original recipe."
            ) from error

    def completed_by(self, other: StackReading) -> StackReading:
        """Return this choice, and for what it leaves open that of another."""
        said = {name: getattr(self, name) for name in ("channels", "axes", "pixel_size", "scene")}
        return replace(other, **{k: v for k, v in said.items() if v is not None})

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


@dataclass(frozen=True, slots=True, eq=False)
class ReadPicture:
    """A single plane in memory.

    Attributes
    ----------
    pixels : shape (H, W), (H, W, 3) or (H, W, 4)
    channels : names of those that are shown as colours, as of a :class:`Stack`
    """

    pixels: NDArray[Any]
    channels: tuple[str, ...] = ()

    @property
    def intensities(self) -> NDArray[Any]:
        """The pixels as they are measured: each of the channels once."""
        return self.pixels[..., : len(self.channels)] if self.channels else self.pixels


@dataclass(frozen=True, slots=True, eq=False)
class UnopenedTarget:
    """A target that could not be opened.

    Attributes
    ----------
    path : of the file or folder
    error : why
    """

    path: Path
    error: Exception


@dataclass(frozen=True, eq=False)
class SortedTargets:
    """Targets by what they are.

    Attributes
    ----------
    pictures : that :func:`read_picture` reads
    plain : those of the pictures that :func:`vrpsam_app.image_files.read_image` reads as they are
    stacks : all else that could be opened
    unopened : what could not
    """

    pictures: Sequence[Path]
    plain: frozenset[Path]
    stacks: Sequence[StackTarget]
    unopened: Sequence[UnopenedTarget]


def sort_targets(
    paths: Sequence[Path], folder: Path, reading: StackReading, form: StackForm | None = None
) -> SortedTargets:
    """Tell pictures from stacks, as :func:`open_target` does.

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
    plain: set[Path] = set()
    stacks: list[tuple[Path, Stack]] = []
    unopened: list[UnopenedTarget] = []
    for path in paths:
        try:
            stack = _as_stack(path, reading)
        except (VRPSAMError, OSError) as error:
            unopened.append(UnopenedTarget(path, error))
            continue
        if stack is None:
            plain.add(path)
        if stack is None or _can_be_held(stack, reading):
            pictures.append(path)
        else:
            stacks.append((path, stack))
    # Pictures count too: objects of a.png and of the stack a.tif would have one name.
    stems = Counter(image_stem(path).casefold() for path in (*pictures, *(p for p, _ in stacks)))
    targets = []
    taken: set[str] = set()
    for path, stack in stacks:
        name = image_stem(path)
        if stems[name.casefold()] > 1:
            name = f"{path.resolve().parent.name}_{path.name.replace('.', '_')}"
        name = free_name(name, taken)
        usual: StackForm = "tif" if path.suffix.lower() in _TIFF else "ome-zarr"
        targets.append(StackTarget(path, stack, result_path(folder, name, form or usual)))
    return SortedTargets(pictures, frozenset(plain), targets, unopened)


def result_path(folder: Path, name: str, form: StackForm) -> Path:
    """Return where the labels of a stack go."""
    return folder / f"{name}_labels.{form.replace('-', '.')}"


def open_target(path: Path, reading: StackReading) -> Stack | None:
    """Open a target as a stack; return None for a picture.

    A picture is a single plane, whatever its file and however many channels are shown as its
    colours. A plane of more than ``reading.max_pixels`` pixels, which only some files can hold, is
    a stack of one plane: it is read in parts.

    Raises
    ------
    ImageFileError, ImageError, MissingExtraError
        As for :func:`vrpsam_app.stacks.stack_files.open_stack`. A picture that is damaged may be
        found to be so only when it is read.
    """
    stack = _as_stack(path, reading)
    return None if stack is None or _can_be_held(stack, reading) else stack


def read_picture(path: Path, reading: StackReading) -> ReadPicture:
    """Read a target that is a single plane.

    Raises
    ------
    ImageError
        If it has an axis, or is too large.
    ImageFileError, MissingExtraError
        If it cannot be read.
    """
    stack = _as_stack(path, reading)
    if stack is None:
        return ReadPicture(read_image(path, max_pixels=reading.max_pixels))
    if stack.axes:
        slice_index(None, stack)  # says which there are
    if not _can_be_held(stack, reading):
        height, width = stack.plane_hw
        raise ImageError(
            f"{path} has {height} x {width} pixels: at most {reading.max_pixels} are read. Crop "
            "it, or raise max_pixels."
        )
    return ReadPicture(stack.plane(), stack.channels)


def _can_be_held(stack: Stack, reading: StackReading) -> bool:
    """Tell whether a stack is a plane that is not too large to be held in memory."""
    return not stack.axes and math.prod(stack.plane_hw) <= reading.max_pixels


def _as_stack(path: Path, reading: StackReading) -> Stack | None:
    """Open any image; None for what :func:`vrpsam_app.image_files.read_image` reads as it is."""
    suffix = path.suffix.lower()
    if suffix in _PICTURES or path in reading.plain:
        return None
    may_be_picture = suffix in IMAGE_SUFFIXES and not reading.chooses
    try:
        stack = reading.open(path)
    except (VRPSAMError, OSError):
        if may_be_picture and _is_picture(path, reading):
            return None
        raise
    # Channels that are pages are shown as colours, and leave no axis either.
    plain = may_be_picture and not stack.axes
    return None if plain and _is_picture(path, reading) else stack


def read_slice(path: Path, text: str | None, reading: StackReading) -> NDArray[Any]:
    """Read the plane of a file on which marks are made.

    Parameters
    ----------
    path : a picture, or any stack
    text : which plane of a stack: ``"12"``, ``"3,12"`` in the order of the axes, or ``"t=3,z=12"``

    Raises
    ------
    ImageError
        If there is no such plane, it is too large, or a stack comes without a choice.
    """
    if text is None:
        return read_picture(path, reading).pixels
    stack = reading.open(path)
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


def _is_picture(path: Path, reading: StackReading) -> bool:
    """Tell whether :func:`vrpsam_app.image_files.read_image` reads a file, by its header."""
    try:
        read_header(path, max_pixels=reading.max_pixels)
    except (VRPSAMError, OSError):
        return False
    return True
