"""Films in which every object is known in every frame: drawn clips, and those of DAVIS-2017."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.data.clip_scenes import CLIP_KINDS, ClipKind, clip_scene
from vrpsam_app.data.davis2017 import Davis2017
from vrpsam_app.data.folder_layout import Split
from vrpsam_app.images import to_rgb
from vrpsam_app.references import Reference


@dataclass(frozen=True, slots=True, eq=False)
class FilmFrame:
    """A frame and what is in it.

    Attributes
    ----------
    image : shape (H, W, 3), uint8
    labels : shape (H, W), int32
        Number of the object at each pixel, 0 for none.
    ignored : shape (H, W), bool, or None
        Pixels that count as background whatever is found there.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.int32]
    ignored: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class KnownFilm:
    """A film with its truth; frames are read, or drawn, each time they are asked for.

    Attributes
    ----------
    name : of the film
    group : what it is compared under, such as the kind of a clip
    objects : name of each object of the first frame by its number
    frames : yields them in order
    last_counts : whether the last frame is measured; DAVIS leaves it out
    """

    name: str
    group: str
    objects: Mapping[int, str]
    frames: Callable[[], Iterator[FilmFrame]]
    last_counts: bool = True

    def references(self) -> list[Reference]:
        """Return the objects of the first frame, each with its mask and a label of its own."""
        first = next(iter(self.frames()))
        return [
            Reference.from_mask(first.image, first.labels == number, label=name)
            for number, name in self.objects.items()
        ]


def drawn_films(
    kinds: Sequence[ClipKind] = CLIP_KINDS,
    seeds: Sequence[int] = (0, 1, 2),
    *,
    frames: int = 32,
    side: int = 160,
) -> list[KnownFilm]:
    """Return drawn clips of each kind.

    Parameters
    ----------
    kinds : as :func:`vrpsam_app.data.clip_scenes.clip_scene` has them
    seeds : one clip of each kind for each
    frames, side : of each clip
    """
    films = []
    for kind in kinds:
        for seed in seeds:
            draw = partial(clip_scene, kind, frames=frames, side=side, seed=seed)
            objects = {n: f"object {n}" for n in draw().objects}
            films.append(KnownFilm(f"{kind} {seed}", kind, objects, partial(_drawn, draw)))
    return films


def davis_films(folder: str | Path, split: Split = "val") -> list[KnownFilm]:
    """Return the films of DAVIS-2017, to be followed from their first frame.

    Parameters
    ----------
    folder : holds ``JPEGImages/``, as for :class:`vrpsam_app.data.davis2017.Davis2017`
    split : which films

    Raises
    ------
    ImageFileError
        If a folder, the list, a film or a label image is missing.
    """
    data = Davis2017.open(folder, split)
    numbers_of: dict[str, list[int]] = {}
    for name in data.class_names:
        film, _, number = name.rpartition("/")
        numbers_of.setdefault(film, []).append(int(number))
    places_of: dict[str, list[int]] = {}
    for place, name in enumerate(data.names):
        places_of.setdefault(name.rpartition("/")[0], []).append(place)
    return [
        KnownFilm(
            film,
            data.name,
            {number: f"object {number}" for number in numbers},
            partial(_read, data, places_of[film]),
            last_counts=False,
        )
        for film, numbers in numbers_of.items()
    ]


def _drawn(draw: Callable[[], object]) -> Iterator[FilmFrame]:
    clip = draw()
    for image, labels in zip(clip.frames, clip.labels, strict=True):  # type: ignore[attr-defined]
        yield FilmFrame(image, labels)


def _read(data: Davis2017, places: Sequence[int]) -> Iterator[FilmFrame]:
    for place in places:
        picture = data.load(place)
        ignored = None if picture.ignored is None else picture.ignored != 0
        yield FilmFrame(to_rgb(picture.image), picture.instances, ignored)
