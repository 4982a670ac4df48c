"""A film in, what was found in each frame out, one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import ConfigError, ImageError
from vrpsam_app.images import IntensityRange, check_plane, intensity_range_of
from vrpsam_app.progress import CancelToken
from vrpsam_app.reference_segmenter import References, as_sequence
from vrpsam_app.segmenter import Segmenter
from vrpsam_app.stack_runs.reading import read_planes
from vrpsam_app.stacks.intensity_sample import stack_range
from vrpsam_app.stacks.stack import Stack
from vrpsam_app.stacks.stack_files import open_stack
from vrpsam_app.tiles.plan import TileOptions, Tiling
from vrpsam_app.video.film_segmenter import FilmSegmenter, FrameAnswer
from vrpsam_app.video.options import MemoryOptions

Film = str | Path | Stack | Iterable[NDArray[Any]]


def predict_video(
    segmenter: Segmenter,
    film: Film,
    references: References,
    *,
    memory: MemoryOptions | str = "object",
    tiling: Tiling | TileOptions = "auto",
    intensity_range: IntensityRange | None = None,
    threshold: float = 0.5,
    cancel: CancelToken | None = None,
) -> Iterator[FrameAnswer]:
    """Follow what the references show through a film, and remember sure frames on the way.

    Parameters
    ----------
    segmenter : anything that predicts
    film : a movie or any stack by its path, a :class:`Stack` of one axis, or frames as they come
        Frames of shape (H, W), (H, W, 3) or (H, W, 4), all of one size.
    references : Reference or sequence of Reference
        Each label is one object. Marks on a frame of the film also say where it is there.
    memory : MemoryOptions, or as text such as ``"kind,size=5"``
    tiling : how large frames are shown, as for :func:`vrpsam_app.tiles.tiling.predict_tiled`
    intensity_range : of the film
        Default: for a stack sampled from it; else that of the references and the first frame.
    threshold : on the probability
    cancel : looked at before each frame

    Yields
    ------
    answer : FrameAnswer
        As soon as it is known. Neither frames nor answers are kept.

    Raises
    ------
    Cancelled
        If that was asked for.
    ConfigError
        If the memory names an axis or a start: frames come one after the other, from the first.
    ImageError
        If the film has no frame, several axes, or a frame of another size than the first.
    AnnotationError, EmptyReferenceError
        As for ``segmenter.predict``.

    Examples
    --------
    >>> for answer in predict_video(predictor, "clip.mp4", reference):  # doctest: +SKIP
    ...     print(answer.number, answer.verdicts)
    """
    references = as_sequence(references)
    options = memory if isinstance(memory, MemoryOptions) else MemoryOptions.from_text(memory)
    if options.axis is not None or options.start is not None:
        raise ConfigError(
            f"The memory is {options}: expected no axis and no start, because frames are taken one "
            "after the other, from the first. Leave them out, or call segment_video."
        )
    if isinstance(film, str | Path):
        film = open_stack(film)
    if isinstance(film, Stack):
        if len(film.axes) != 1:
            raise ImageError(
                f"{film.name} has the axes {', '.join(film.axes) or 'of a single plane'}: expected "
                "one, along which it is gone through. Choose one, or call segment_video."
            )
        if intensity_range is None:
            intensity_range = stack_range(film, references)
        wanted = dict.fromkeys(film.indices())
        frames: Iterator[NDArray[Any]] = (
            np.asarray(plane) for _, plane in read_planes(film, wanted)
        )
    else:
        frames = map(check_plane, iter(film))
    first = next(frames, None)
    if first is None:
        raise ImageError("The film has no frame: expected at least one.")
    if intensity_range is None and not isinstance(film, Stack):
        intensity_range = intensity_range_of([first, *(r.image for r in references)])
    # Most segmenters keep what they encode, because a person asks again; a film is seen once.
    passing = getattr(segmenter, "passing", None)
    follower = FilmSegmenter(
        segmenter if passing is None else passing(),
        references,
        (first.shape[0], first.shape[1]),
        options,
        tiling=tiling if isinstance(tiling, TileOptions) else TileOptions(tiling),
        pixel_size=film.pixel_size if isinstance(film, Stack) else None,
        intensity_range=intensity_range,
        threshold=threshold,
    )
    for number, frame in enumerate(chain([first], frames)):
        if cancel is not None:
            cancel.raise_if_cancelled()
        if frame.shape != first.shape:
            raise ImageError(
                f"Frame {number} has shape {frame.shape}: expected {first.shape}, as the first "
                "one. Bring all frames to one size."
            )
        yield follower.step(frame)
