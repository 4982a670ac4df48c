"""From an episode to what a method is given and judged by: references, target and truth."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.annotations import Kind
from vrpsam_app.data.annotation_simulation import Gesture, simulate
from vrpsam_app.data.labelled_dataset import LabelledDataset, LabelledImage
from vrpsam_app.data.paper_marks import PAPER_SIDE, paper_marks
from vrpsam_app.data.whole_pictures import squashed
from vrpsam_app.errors import ConfigError
from vrpsam_app.evaluation.episode_list import Episode, Part, Place
from vrpsam_app.images import intensity_range_of, plane_key, to_rgb
from vrpsam_app.references import Reference

Format = Literal["mask", "click", "stroke", "box", "outline"]
FORMATS: tuple[Format, ...] = get_args(Format)
# Formats that need to know where one object ends.
OBJECT_FORMATS: tuple[Format, ...] = ("box", "outline")
# Pictures kept, as several formats in turn ask for those of one episode.
KEPT_PICTURES = 8

_GESTURES: dict[Format, Gesture] = {
    "mask": "mask",
    "click": "point",
    "stroke": "scribble",
    "box": "box",
    "outline": "outline",
}


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """An episode with its pixels.

    Attributes
    ----------
    references : marked pictures
    target : shape (H, W, 3), uint8
    truth : shape (H, W), bool
        All of the class in the target, however much of it the references mark.
    ignored : shape (H, W), bool
        Where nobody knows the truth; left out of every figure.
    objects : shape (H, W), int32, or None where the data have no objects
        Number of each object of the class in the target, 0 elsewhere.
    """

    references: tuple[Reference, ...]
    target: NDArray[np.uint8]
    truth: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    objects: NDArray[np.int32] | None


class EpisodeReader:
    """Reads the pictures of episodes and marks the references.

    Marks depend on the episode, the format and the place of the reference among the episode's
    references alone: the first reference of five is the one of one.

    Parameters
    ----------
    dataset : LabelledDataset
    components : whether connected parts of a class count as objects where the data have none, or
        number all of a picture alike; as cells apart do and a network of membranes does not
    paper_side : side to which pictures are squashed where the paper's experiments are asked
    """

    def __init__(
        self,
        dataset: LabelledDataset,
        *,
        components: bool = False,
        paper_side: int = PAPER_SIDE,
    ) -> None:
        self.dataset = dataset
        self.components = components
        self.paper_side = paper_side
        self._number = {name: i for i, name in enumerate(dataset.names)}
        self._load: Callable[[int], LabelledImage] = lru_cache(KEPT_PICTURES)(dataset.load)
        self._content: Callable[[str], str] = cache(self._find_content)

    @property
    def formats(self) -> tuple[Format, ...]:
        """Return the formats that make sense: without objects neither boxes nor outlines."""
        if self.dataset.has_instances or self.components:
            return FORMATS
        return tuple(name for name in FORMATS if name not in OBJECT_FORMATS)

    def content_key(self, episode: Episode, shots: int) -> str:
        """Return a hash of an episode's pictures and labels, to tell when they have changed.

        Every picture is read once. One that cannot be read counts by the reason.

        Parameters
        ----------
        episode : of a list drawn from this data set
        shots : number of references, the first ones of the episode
        """
        places = (episode.target, *episode.references[:shots])
        digest = hashlib.blake2b(digest_size=16)
        for name in dict.fromkeys(place.picture for place in places):
            try:
                content = self._content(name)
            except Exception as error:  # the answer will say so, and the rest goes on
                content = f"{type(error).__name__}: {error}"
            digest.update(f"{name}\0{content}\0".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    def to_references(self, episode: Episode, format: Format, shots: int = 1) -> Question:
        """Mark the references of an episode as people do, at the pictures' own size.

        Parameters
        ----------
        episode : of a list drawn from this data set
        format : "mask" marks all objects and says so; "click", "stroke", "box" and "outline" mark
            one object and say nothing of the rest. Where several references are the same part of
            one picture, each marks another object, and a mask is given once.
        shots : number of references, the first ones of the episode

        Returns
        -------
        question : Question

        Raises
        ------
        ConfigError
            If the episode has too few references, names what the data set does not have, or the
            format makes no sense for it.
        """
        if format not in self.formats:
            raise ConfigError(
                f"Format {format!r} cannot be drawn on {self.dataset.name}: expected one of "
                f"{', '.join(self.formats)}. Boxes and outlines need data that tell objects apart."
            )
        places = self._places(episode, shots)
        if format == "mask":
            places = tuple(dict.fromkeys(places))
        references = []
        marked: dict[Place, NDArray[np.bool_]] = {}
        target, *pictures = self._seen(episode, places)
        for shot, (place, picture) in enumerate(zip(places, pictures, strict=True)):
            wanted = self._wanted(episode, picture)
            objects = self._objects(picture, wanted)
            left = objects * ~marked[place] if place in marked else objects
            rng = _generator(episode, format, shot)
            marks = simulate(rng, _GESTURES[format], left if left.any() else objects)
            marked[place] = marked.get(place, np.zeros_like(wanted)) | marks.target
            unknown = picture.ignored_for(self._class_id(episode))
            # With unknown pixels, what is known not to be the class is said pixel by pixel.
            said = marks.exhaustive and bool(unknown.any())
            references.append(
                Reference(
                    image=picture.image,
                    positive=marks.positive,
                    negative=~wanted & ~unknown if said else marks.negative,
                    kind=marks.kind,
                    exhaustive=marks.exhaustive and not said,
                    label=episode.label,
                )
            )
        return self._question(episode, tuple(references), target)

    def to_paper_references(self, episode: Episode, kind: Kind, shots: int = 1) -> Question:
        """Mark the references of an episode as the paper's experiments do.

        Pictures and labels are squashed to a square of `paper_side` (labels by nearest neighbour),
        and marks are made from the mask of all objects: see `paper_marks`.

        Parameters
        ----------
        episode : of a list drawn from this data set with ``least_area=2048``
        kind : kind of the marks
        shots : number of references, the first ones of the episode

        Raises
        ------
        ConfigError
            As for :meth:`to_references`, or if the class vanishes at that size.
        """
        references = []
        target, *pictures = (
            squashed(picture, self.paper_side)
            for picture in self._seen(episode, self._places(episode, shots))
        )
        for shot, picture in enumerate(pictures):
            mask = picture.classes == self._class_id(episode)
            if not mask.any():
                raise ConfigError(
                    f"Episode {episode.index}: {episode.label!r} in {picture.name} vanishes at "
                    f"{self.paper_side} x {self.paper_side}: draw the list with least_area=2048."
                )
            marks = paper_marks(_generator(episode, kind, shot), kind, mask, training=False)
            references.append(
                Reference(
                    image=picture.image,
                    positive=marks,
                    negative=np.zeros_like(mask),
                    kind=kind,
                    exhaustive=kind == "mask",
                    label=episode.label,
                )
            )
        return self._question(episode, tuple(references), target)

    def _question(
        self, episode: Episode, references: tuple[Reference, ...], target: LabelledImage
    ) -> Question:
        class_id = self._class_id(episode)
        truth = target.classes == class_id
        objects = self._objects(target, truth)
        return Question(
            references=references,
            target=target.image,
            truth=truth,
            ignored=target.ignored_for(class_id),
            objects=None if objects.dtype == np.bool_ else objects.astype(np.int32),
        )

    def _places(self, episode: Episode, shots: int) -> tuple[Place, ...]:
        if not 1 <= shots <= len(episode.references):
            raise ConfigError(
                f"Episode {episode.index} of {self.dataset.name} has {len(episode.references)} "
                f"references: {shots} shots cannot be given. EpisodeList.most_shots tells how many "
                "every episode has."
            )
        return episode.references[:shots]

    def _seen(self, episode: Episode, places: Sequence[Place]) -> list[LabelledImage]:
        """Return target and references in RGB, by the one range of intensities that they share."""
        pictures = [self._picture(place) for place in (episode.target, *places)]
        shared = intensity_range_of(picture.image for picture in pictures)
        return [replace(picture, image=to_rgb(picture.image, shared)) for picture in pictures]

    def _wanted(self, episode: Episode, picture: LabelledImage) -> NDArray[np.bool_]:
        """Return where a reference's picture shows the class."""
        wanted = picture.classes == self._class_id(episode)
        if not wanted.any():
            raise ConfigError(
                f"Episode {episode.index}: {picture.name} of {self.dataset.name} does not show "
                f"{episode.label!r}: the labels are not those that the list was drawn from. Draw a "
                "new list."
            )
        return wanted

    def _find_content(self, name: str) -> str:
        picture = self._load(self._number_of(name))
        planes = (picture.image, picture.instances, picture.classes, picture.ignored)
        return " ".join("" if plane is None else plane_key(plane) for plane in planes)

    def _picture(self, place: Place) -> LabelledImage:
        picture = self._load(self._number_of(place.picture))
        return picture if place.part is None else _cropped(picture, place.part)

    def _number_of(self, name: str) -> int:
        number = self._number.get(name)
        if number is None:
            raise ConfigError(
                f"{self.dataset.name} has no picture {name!r}: open the data that the "
                "list was drawn from, or draw a new list."
            )
        return number

    def _class_id(self, episode: Episode) -> int:
        names = self.dataset.class_names
        if episode.label not in names:
            raise ConfigError(
                f"{self.dataset.name} has no class {episode.label!r}: open the data that the list "
                "was drawn from, or draw a new list."
            )
        return names.index(episode.label) + 1

    def _objects(
        self, picture: LabelledImage, wanted: NDArray[np.bool_]
    ) -> NDArray[np.int32] | NDArray[np.bool_]:
        """Return the objects of the class, numbered; a mask where the data have none."""
        if self.dataset.has_instances:
            numbered = (picture.instances * wanted).astype(np.int32)
            # Masks of 0 and 255 number everything alike, which nobody means who asks for parts.
            if not self.components or np.unique(numbered[numbered > 0]).size > 1:
                return numbered if numbered.any() or not wanted.any() else wanted
        return _numbered(wanted) if self.components else wanted


def _numbered(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    from scipy import ndimage

    parts: NDArray[np.int32] = ndimage.label(mask)[0].astype(np.int32)
    return parts


def _cropped(picture: LabelledImage, part: Part) -> LabelledImage:
    top, left, bottom, right = part
    window = slice(top, bottom), slice(left, right)
    return replace(
        picture,
        image=np.ascontiguousarray(picture.image[window]),
        instances=picture.instances[window],
        classes=picture.classes[window],
        ignored=None if picture.ignored is None else picture.ignored[window],
    )


def _generator(episode: Episode, format: str, shot: int) -> np.random.Generator:
    words = (episode.seed, episode.index, episode.label, format, shot)
    digest = hashlib.blake2b("\0".join(map(str, words)).encode(), digest_size=8).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))
