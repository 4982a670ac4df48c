"""What was found in a film, to be looked at: a movie with the objects drawn in, masks as PNGs."""

from __future__ import annotations

import io
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from vrpsam_app.errors import ConfigError, OutputError
from vrpsam_app.images import IntensityRange, has_finite, to_rgb
from vrpsam_app.movie_files import MovieWriter, movie_rate, require_movies
from vrpsam_app.overlays import PALETTE, overlay
from vrpsam_app.progress import CancelToken, ProgressCallback, ProgressMeter
from vrpsam_app.stack_runs.outputs import StackOutput, mask_frame
from vrpsam_app.stack_runs.result_array import abandoned_name, cannot_write
from vrpsam_app.stack_runs.run import StackResult
from vrpsam_app.stack_runs.targets import StackTarget
from vrpsam_app.stacks.row_reader import in_memory
from vrpsam_app.stacks.stack import Stack
from vrpsam_app.stacks.stack_files import open_stack

_MASK_FRAME = re.compile(r"\d{5,}\.png")

STACK_RATE = 10
"""Planes in a second, of a stack that does not say how fast it was taken."""


@dataclass(frozen=True, slots=True)
class StackPictures:
    """What is written of a stack to be looked at, beside its labels.

    Attributes
    ----------
    target : the stack, and where its labels are
    overlay : whether ``<name>_overlay.mp4`` is written
    mask_frames : whether the folder ``<name>_masks`` is written
    overwrite : replace what exists
    """

    target: StackTarget
    overlay: bool = False
    mask_frames: bool = False
    overwrite: bool = False

    @property
    def wanted(self) -> bool:
        """Whether there are any; stacks of no axis have none."""
        return (self.overlay or self.mask_frames) and bool(self.target.stack.axes)

    def check(self) -> None:
        """Make sure, before any work on the stack, that they can be written.

        Raises
        ------
        OutputError
            If one exists and is not to be replaced, or is not of this program.
        MissingExtraError
            If movies cannot be written.
        """
        if not self.wanted:
            return
        out = StackOutput.of(self.target.out)
        if self.overlay:
            require_movies(out.overlay)
        for wanted, path in ((self.overlay, out.overlay), (self.mask_frames, out.mask_frames)):
            if wanted and path.exists() and not self.overwrite:
                raise OutputError(
                    f"{path} exists: choose another folder for the results, or allow overwriting "
                    "(--overwrite)."
                )
        if self.mask_frames and out.mask_frames.exists():
            _check_own(out.mask_frames, max(out.drawn_frames, self.target.stack.plane_count))

    def write(self, result: StackResult) -> None:
        """Write them from what was found, and say so in the recipe."""
        if not self.wanted:
            return
        out = StackOutput.of(self.target.out)
        drawn = {"overlay": self.overlay, "mask_frames": self.mask_frames}
        out.note_drawn({name: True for name, wanted in drawn.items() if wanted})
        labels = open_stack(result.path)
        if self.overlay:
            write_overlay_movie(
                self.target.stack,
                labels,
                out.overlay,
                rate=movie_rate(self.target.path),
                intensity_range=result.intensity_range,
                overwrite=self.overwrite,
            )
        if self.mask_frames:
            write_mask_frames(labels, out.mask_frames, overwrite=self.overwrite)


def check_drawable(stacks: Iterable[Stack]) -> None:
    """Make sure, before anything is segmented, that stacks can be drawn; those of no axis are not.

    Raises
    ------
    ConfigError
        If one has several axes.
    """
    for stack in stacks:
        if stack.axes:
            _check_axes(stack)


def write_overlay_movie(
    film: Stack,
    labels: Stack,
    path: str | Path,
    *,
    rate: Fraction | float | None = None,
    intensity_range: IntensityRange | None = None,
    overwrite: bool = False,
    cancel: CancelToken | None = None,
    progress: ProgressCallback | None = None,
) -> Path:
    """Write a movie of a film with what was found drawn in.

    Parameters
    ----------
    film : with one axis
    labels : what was found in it, as :func:`vrpsam_app.video.run.segment_video` stores it
    path : a name that ends in .mp4
    rate : frames in a second; None takes `STACK_RATE`
    intensity_range : in which frames of more than 8 bits are shown
    overwrite : replace a file that exists
    cancel, progress : looked at, and told, after each frame

    Returns
    -------
    path : where it was written, whole

    Raises
    ------
    ConfigError
        If the two do not fit, or there is more than one axis.
    OutputError
        If the file exists or cannot be written.
    Cancelled
        If that was asked for; nothing is left.
    """
    _check_pair(film, labels)
    meter = ProgressMeter(film.plane_count, progress, cancel=cancel)
    path = Path(path)
    with MovieWriter(path, film.plane_hw, rate or STACK_RATE, overwrite=overwrite) as movie:
        for index in film.indices():
            frame = in_memory(film.data[index])
            black = np.zeros((*film.plane_hw, 3), np.uint8)
            picture = to_rgb(frame, intensity_range) if has_finite(frame) else black
            # Never as a mask: label 1 has the same colour whether or not there are others.
            found = in_memory(labels.data[index]).astype(np.int32)
            movie.add(overlay(picture, found))
            meter.finished(f"frame {index[0]}")
    return path


def write_mask_frames(labels: Stack, folder: str | Path, *, overwrite: bool = False) -> Path:
    """Write what was found as a folder of PNGs with a palette, as DAVIS and video editors have it.

    Parameters
    ----------
    labels : with one axis
    folder : made; holds 00000.png and so on, whose indices are the numbers of the labels
    overwrite : replace a folder that exists and holds such PNGs only

    Returns
    -------
    folder : where they are; it appears once all are written

    Raises
    ------
    ConfigError
        If there are several axes, or more than 255 labels.
    OutputError
        If the folder exists or cannot be written.
    """
    folder = Path(folder)
    _check_axes(labels)
    if folder.exists() and not overwrite:
        raise OutputError(f"{folder} exists: choose another name, or say that it may be replaced.")
    partial = folder.with_name(abandoned_name(folder))
    try:
        partial.mkdir()
        for index in labels.indices():
            found = in_memory(labels.data[index])
            (partial / mask_frame(index[0])).write_bytes(_palette_png(found))
        if folder.exists():
            _check_own(folder)
            shutil.rmtree(folder)
        os.replace(partial, folder)
    except OutputError:
        raise
    except OSError as error:
        raise cannot_write(folder, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _palette_png(found: np.ndarray[tuple[int, ...], np.dtype[np.integer]]) -> bytes:
    from PIL import Image

    if found.max(initial=0) > 255:
        raise ConfigError(
            f"Label {found.max()} does not fit in a PNG with a palette: expected at most 255 "
            "labels. Use the stack of labels instead."
        )
    picture = Image.fromarray(found.astype(np.uint8), mode="L")
    picture.putpalette([0, 0, 0, *(part for i in range(255) for part in PALETTE[i % len(PALETTE)])])
    stream = io.BytesIO()
    picture.save(stream, format="PNG")
    return stream.getvalue()


def _check_axes(stack: Stack) -> None:
    if len(stack.axes) != 1:
        raise ConfigError(
            f"{stack.name} has the axes {', '.join(stack.axes) or 'of a single plane'}: expected "
            "one, from frame to frame, to draw a movie (--overlay) or write masks as PNGs "
            "(--mask-frames). Leave these out for it."
        )


def _check_own(folder: Path, planes: int | None = None) -> None:
    """Refuse to remove what was not written by :func:`write_mask_frames`.

    Parameters
    ----------
    planes : how many it wrote at the most; None where nobody knows
    """
    for path in folder.iterdir():
        own = _MASK_FRAME.fullmatch(path.name) and not path.is_dir()
        if not own or (planes is not None and int(path.stem) >= planes):
            raise OutputError(
                f"{folder} holds {path.name}, which this program did not write: the folder is not "
                "replaced. Move it away, or choose another folder for the results."
            )


def _check_pair(film: Stack, labels: Stack) -> None:
    _check_axes(film)
    if (film.plane_count, film.plane_hw) != (labels.plane_count, labels.plane_hw):
        raise ConfigError(
            f"{film.name} has {film.plane_count} frames of {film.plane_hw}, {labels.name} has "
            f"{labels.plane_count} of {labels.plane_hw}: expected labels of the same film."
        )
