"""One named reference of a library: what is said of it, and its pictures as files."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.annotations import Marks
from vrpsam_app.errors import ConfigError, VRPSAMError
from vrpsam_app.geometry import fit_within, resize_bilinear, resize_mask_area
from vrpsam_app.image_files import MAX_PIXELS, decode_png, encode_png
from vrpsam_app.images import intensity_range_of, to_rgb
from vrpsam_app.overlays import draw_marks
from vrpsam_app.references import Reference

if TYPE_CHECKING:
    from vrpsam_app.annotations import Kind

MAX_NAME_LENGTH = 200
MAX_NOTES_LENGTH = 20_000
THUMBNAIL_SIDE = 192
# A thumbnail shows this many times the extent of the marks, so that small ones are seen.
_THUMBNAIL_VIEW = 2.5


@dataclass(frozen=True, eq=False)
class LibraryEntry:
    """One named reference, its pictures as bytes until somebody looks at them.

    Attributes
    ----------
    name : unique in its library
    label : name of the class
    kind, exhaustive, not_this : as in the reference
    notes : whatever a person wants to remember
    image, positive, negative : content of the files, PNG, or npy for types that PNG has not
    thumbnail : PNG of the marked part, at most 192 x 192
    content_key : of the reference, by which damage is found
    """

    name: str
    label: str
    kind: str
    exhaustive: bool
    not_this: bool
    notes: str
    image_name: str
    image: bytes = field(repr=False)
    positive: bytes = field(repr=False)
    negative: bytes = field(repr=False)
    thumbnail: bytes = field(repr=False)
    content_key: str

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.notes) > MAX_NOTES_LENGTH:
            raise ConfigError(
                f"The notes on {self.name!r} have {len(self.notes)} characters: expected at most "
                f"{MAX_NOTES_LENGTH}. Shorten them."
            )

    @classmethod
    def from_reference(cls, name: str, reference: Reference, notes: str = "") -> LibraryEntry:
        """Name a reference.

        Raises
        ------
        ConfigError
            If the name is empty, too long or has control characters, or the notes are too long.
        """
        suffix, image = _encode_image(reference.image)
        entry = cls(
            name=name.strip() if isinstance(name, str) else name,
            label=reference.label,
            kind=reference.kind,
            exhaustive=reference.exhaustive,
            not_this=reference.is_not_this,
            notes=notes,
            image_name=f"images/{reference.image_key}.{suffix}",
            image=image,
            positive=encode_png(reference.positive),
            negative=encode_png(reference.negative),
            thumbnail=encode_png(thumbnail_of(reference)),
            content_key=reference.content_key,
        )
        entry.__dict__["reference"] = reference  # known, so that it is never decoded again
        return entry

    @cached_property
    def reference(self) -> Reference:
        """The reference, equal to the one that was saved.

        Raises
        ------
        ConfigError
            If the pictures are damaged or are not what was saved.
        """
        try:
            reference = Reference(
                image=_decode_image(self.image_name, self.image),
                positive=decode_png(self.positive) != 0,
                negative=decode_png(self.negative) != 0,
                kind=cast("Kind", self.kind),  # checked there
                exhaustive=self.exhaustive,
                label=self.label,
            )
        except (VRPSAMError, ValueError, TypeError, EOFError) as error:
            raise ConfigError(
                f"The reference {self.name!r} of the library cannot be read ({error}). Use a copy "
                "of the original file, or remove the reference from it."
            ) from error
        if (reference.content_key, reference.is_not_this) != (self.content_key, self.not_this):
            raise ConfigError(
                f"The reference {self.name!r} is not what was saved: pixels or marks were changed. "
                "Use a copy of the original file, or remove the reference from it."
            )
        return reference


def check_name(name: str) -> None:
    """Refuse what cannot be the name of a reference.

    Raises
    ------
    ConfigError
        If it is empty, longer than 200 characters, or has control characters or outer spaces.
    """
    if (
        not isinstance(name, str)
        or not 0 < len(name) <= MAX_NAME_LENGTH
        or not name.isprintable()
        or name != name.strip()
    ):
        shown = repr(name)[:60]
        raise ConfigError(
            f"{shown} cannot be the name of a reference: expected one line of 1 to "
            f"{MAX_NAME_LENGTH} characters, such as 'round nucleus'."
        )


def thumbnail_of(reference: Reference) -> NDArray[np.uint8]:
    """Draw the marked part of a reference with its marks, at most 192 x 192, RGB."""
    rows, cols = _view(reference.positive | reference.negative)
    intensities = intensity_range_of([reference.image])
    part = reference.image[rows, cols]
    if part.dtype.kind == "f":  # nothing but NaN may be around the marks
        part = np.nan_to_num(part)
    hw = (part.shape[0], part.shape[1])
    size = fit_within(hw, THUMBNAIL_SIDE) if max(hw) > THUMBNAIL_SIDE else hw
    marks = Marks(
        resize_mask_area(reference.positive[rows, cols], size) >= 0.5,
        resize_mask_area(reference.negative[rows, cols], size) >= 0.5,
        reference.kind,
    )
    return draw_marks(resize_bilinear(to_rgb(part, intensities), size), marks)


def _view(marked: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return the rows and columns around the marks that a thumbnail shows."""
    sides = []
    for axis in (1, 0):
        found = np.flatnonzero(marked.any(axis=axis))
        low, high = int(found[0]), int(found[-1]) + 1
        length = max(THUMBNAIL_SIDE // 2, round(_THUMBNAIL_VIEW * (high - low)))
        start = max(0, min((low + high - length) // 2, marked.shape[1 - axis] - length))
        sides.append(slice(start, start + length))
    return sides[0], sides[1]


def _encode_image(image: NDArray[Any]) -> tuple[str, bytes]:
    """Return the file ending and content that keep an image as it is."""
    if image.dtype == np.uint8 or (image.ndim == 2 and image.dtype == np.uint16):
        return "png", encode_png(image)
    stream = io.BytesIO()
    little = np.ascontiguousarray(image, dtype=image.dtype.newbyteorder("<"))
    np.lib.format.write_array(stream, little, version=(1, 0), allow_pickle=False)
    return "npy", stream.getvalue()


def _decode_image(name: str, data: bytes) -> NDArray[Any]:
    if name.endswith(".png"):
        return decode_png(data)
    stream = io.BytesIO(data)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError(f"{name} is an array of another version")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    pixels = data[stream.tell() :]
    if fortran or dtype.kind not in "biuf" or len(shape) not in (2, 3):
        raise ValueError(f"{name} holds no plane of real numbers")
    if shape[0] * shape[1] > MAX_PIXELS or len(pixels) != int(np.prod(shape)) * dtype.itemsize:
        raise ValueError(f"{name} has {len(pixels)} bytes of pixels for a shape of {shape}")
    return np.frombuffer(pixels, dtype).reshape(shape).astype(dtype.newbyteorder("="))
