"""Intensities of planes that nobody wants to read whole: one range for a plane, or for a stack."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.images import IntensityRange, intensity_range_of
from vrpsam_app.references import Reference
from vrpsam_app.stacks.row_reader import in_memory
from vrpsam_app.stacks.stack import Stack

MOST_PLANES = 8
"""Planes of a stack that are looked at before a run."""
# Values of a plane that are looked at; larger ones are thinned on a regular grid, exactly as
# `intensity_range_of` does with planes in memory.
_VALUES = 2**20


@dataclass(frozen=True, slots=True)
class StackSample:
    """What a look at a few planes says about a stack.

    Attributes
    ----------
    intensity_range : that stack and references share; None where all have 8 bits
    fingerprint : SHA-256 of the sampled planes, by which a run that goes on knows its stack
    """

    intensity_range: IntensityRange | None
    fingerprint: str


def sample_stack(
    stack: Stack,
    references: Sequence[Reference],
    intensity_range: IntensityRange | None = None,
) -> StackSample:
    """Look at up to eight planes, spread evenly from the first to the last.

    Parameters
    ----------
    stack : Stack
    references : their images belong to the set
    intensity_range : given by the caller
    """
    planes = list(_spread(stack))
    digest = hashlib.sha256(f"{stack.dtype.str} {stack.data.shape} ".encode())
    for plane in planes:
        digest.update(np.ascontiguousarray(plane).tobytes())
    if intensity_range is None:
        intensity_range = _shared_range(stack.dtype, planes, references)
    return StackSample(intensity_range, digest.hexdigest())


def stack_range(stack: Stack, references: Sequence[Reference]) -> IntensityRange | None:
    """Return the range of :func:`sample_stack`; nothing is read of 8 bits."""
    return _shared_range(stack.dtype, _spread(stack), references)


def plane_range(plane: Any, references: Sequence[Reference]) -> IntensityRange | None:
    """Return the range that a plane, lazy or not, shares with its references; None for 8 bits."""
    return _shared_range(plane.dtype, map(sampled, (plane,)), references)


def sampled(plane: Any) -> NDArray[Any]:
    """Return every so manieth pixel of a large plane, all of a small one.

    Parameters
    ----------
    plane : shape (H, W) or (H, W, channels)
        A lazy one is read chunk by chunk.
    """
    colours = 3 if plane.ndim == 3 else 1
    values = plane.shape[0] * plane.shape[1] * colours
    step = math.ceil(math.sqrt(max(1.0, values / _VALUES)))
    return in_memory(plane[::step, ::step])


def shows_as_it_is(dtype: Any) -> bool:
    """Tell whether pixels of a type reach the model without an intensity range."""
    return np.dtype(dtype) in (np.dtype(np.uint8), np.dtype(np.bool_))


def _spread(stack: Stack) -> Iterator[NDArray[Any]]:
    indices = list(stack.indices())
    places = np.linspace(0, len(indices) - 1, min(MOST_PLANES, len(indices)))
    return (sampled(stack.data[indices[i]]) for i in places.round().astype(int))


def _shared_range(
    dtype: Any, planes: Iterable[NDArray[Any]], references: Sequence[Reference]
) -> IntensityRange | None:
    shown = () if shows_as_it_is(dtype) else planes
    return intensity_range_of([*shown, *(r.image for r in references)])
