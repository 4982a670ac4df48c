"""What a film segmenter knows, as bytes: a run that was stopped goes on as if it had not been."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import OutputError
from vrpsam_app.references import Reference
from vrpsam_app.video.film_segmenter import FilmSegmenter
from vrpsam_app.video.following import Following
from vrpsam_app.video.tracks import Track

VERSION = 1

ReadFrame = Callable[[int], NDArray[Any]]
"""Read the frame that was taken as number so and so, from 0."""


def state_to_bytes(film: FilmSegmenter, position: int) -> bytes:
    """Return what is known after a frame; frames themselves are named by their number.

    Parameters
    ----------
    film : FilmSegmenter
    position : of whoever runs it; comes back as it is
    """
    masks: list[NDArray[np.bool_]] = []

    def stored(mask: NDArray[np.bool_]) -> int:
        masks.append(mask)
        return len(masks) - 1

    known = {
        "version": VERSION,
        "position": position,
        "steps": film.step_count,
        "groups": film.groups,
        "memories": {
            name: [[step, stored(r.positive)] for step, r in memory.later]
            for name, memory in film.memories.items()
        },
        "following": [
            [
                [t.label, stored(t.mask), t.area, *t.velocity, t.unseen, t.age]
                for t in following.tracks
            ]
            for following in film.following
        ],
        "shapes": [mask.shape for mask in masks],
    }
    arrays: dict[str, Any] = {f"mask{i}": np.packbits(mask) for i, mask in enumerate(masks)}
    arrays["known"] = np.frombuffer(json.dumps(known).encode(), np.uint8)
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def restore_state(data: bytes, film: FilmSegmenter, read: Callable[[int], ReadFrame]) -> int:
    """Bring a new film segmenter to where another one was.

    Parameters
    ----------
    data : of :func:`state_to_bytes`
    film : made with the same references and options, no frame taken yet
    read : from the position, how frames are read that are remembered

    Returns
    -------
    position : as it was given

    Raises
    ------
    OutputError
        If the bytes are damaged.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            known = json.loads(bytes(arrays["known"]))
            if known["version"] != VERSION:
                raise ValueError(f"version {known['version']}")

            def mask(number: int) -> NDArray[np.bool_]:
                shape = known["shapes"][number]
                bits = np.unpackbits(arrays[f"mask{number}"], count=shape[0] * shape[1])
                return bits.reshape(shape).astype(np.bool_)

            position = int(known["position"])
            frame = read(position)
            film.step_count = int(known["steps"])
            film.groups = tuple(tuple(group) for group in known["groups"])
            for name, later in known["memories"].items():
                film.memories[name].later = [
                    (step, Reference.from_mask(frame(step), mask(number), label=name))
                    for step, number in later
                ]
            film.following = [
                Following(
                    [
                        Track(label, mask(number), area, (down, right), unseen, age)
                        for label, number, area, down, right, unseen, age in tracks
                    ]
                )
                for tracks in known["following"]
            ]
    except OutputError:
        raise
    except Exception as error:  # damaged bytes may raise anything
        raise OutputError(
            f"What was remembered of the film is damaged ({error}): begin again with overwrite "
            "(--overwrite)."
        ) from error
    return position
