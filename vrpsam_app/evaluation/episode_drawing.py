"""Drawing episodes: which class is asked of which picture, by chance that is the same everywhere.

Every choice is a hash of the seed, the episode's number and the names involved. So episode k of
seed s is the same on every machine, in every process and however many are drawn, and it does not
hang on the order of files or on a random generator that a library may change.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.data.labelled_dataset import LabelledDataset
from vrpsam_app.errors import ConfigError
from vrpsam_app.evaluation.episode_list import Episode, EpisodeList, Part, Place

# A class has to cover this many pixels of a picture to be asked for or shown there.
LEAST_AREA = 200
# References of an episode, of which the first serve fewer shots.
REFERENCES = 5

Halves = tuple[Part, Part, tuple[int, int]]
"""Two parts of a picture, and the number of objects in each."""


class EpisodeDrawer:
    """Draws the episodes of a data set, each for itself.

    Reference and target show the same class, belong to one group and to different fields of view.
    Classes take turns, in an order drawn anew for each round; the targets of a class take turns
    too, so that none comes twice before all have come.

    Parameters
    ----------
    dataset : LabelledDataset
    seed : 0 or more
    negatives : share of episodes whose target lacks the class but is of the same group
    least_area : pixels from which a class counts in a picture
    references : number of references aimed at; where there are not as many pictures, fewer
    least_references : number of references without which a picture is not asked
    one_image : whether each picture is a class of its own: target and reference are its two halves,
        and every reference is the same half, on which another object is marked each time
    classes : names of the classes that are asked for, all by default

    Attributes
    ----------
    labels : classes that can be asked for
    lacked : those of them that some picture lacks and enough others of its group show

    Raises
    ------
    ConfigError
        If no class can be asked for, none can be absent although negatives are wanted, or a class
        is unknown.
    """

    def __init__(
        self,
        dataset: LabelledDataset,
        seed: int = 0,
        *,
        negatives: float = 0.0,
        least_area: int = LEAST_AREA,
        references: int = REFERENCES,
        least_references: int = 1,
        one_image: bool = False,
        classes: Collection[str] | None = None,
    ) -> None:
        if not 0.0 <= negatives <= 1.0 or least_area < 1 or seed < 0:
            raise ConfigError(
                f"seed={seed}, negatives={negatives}, least_area={least_area}: expected a seed "
                "from 0, a share from 0 to 1 and a positive area."
            )
        if not 1 <= least_references <= references:
            raise ConfigError(
                f"least_references={least_references}, references={references}: expected 1 or "
                "more, and no more needed than are aimed at."
            )
        if one_image and negatives:
            raise ConfigError(
                "negatives cannot be drawn with one_image: where each picture is a class of its "
                "own, both its halves show it. Use negatives=0."
            )
        self.dataset = dataset
        self.seed = seed
        self.negatives = negatives
        self.least_area = least_area
        self.references = references
        self.least_references = least_references
        self.one_image = one_image
        self._number = {name: i for i, name in enumerate(dataset.names)}
        self._class_id = {name: i + 1 for i, name in enumerate(dataset.class_names)}
        unknown = sorted(set(classes or ()) - set(self._class_id))
        if unknown:
            raise ConfigError(
                f"{dataset.name} has no classes {unknown[:3]}: expected some of "
                f"{', '.join(dataset.class_names[:10])}."
            )
        asked = dataset.class_names if classes is None else sorted(classes)
        self._members, self._shown_in = self._index(asked)
        self._targets = cache(self._find_targets)
        self._lacking = cache(self._find_lacking)
        self._halves = cache(self._find_halves)
        self.labels: tuple[str, ...] = tuple(n for n in asked if self._targets(n))
        if not self.labels:
            raise ConfigError(
                f"{dataset.name} has no class that {least_references + 1} pictures, the target in "
                f"another field than the rest, show on {least_area} pixels or more (x_t1 and x_t2 "
                "are views of one field): add pictures, or ask for one half of each by the other "
                "(FOLDER,one-image, in Python one_image=True). Python also takes a lower "
                "least_area."
            )
        self.lacked: tuple[str, ...] = tuple(n for n in self.labels if self._lacking(n))
        if negatives and not self.lacked:
            raise ConfigError(
                f"No picture of {dataset.name} lacks a class that others of its group show (at "
                f"least {least_references}), so that none can be absent: use negatives=0, or a "
                "data set with more classes."
            )

    def episode(self, index: int) -> Episode:
        """Draw episode number `index`.

        Parameters
        ----------
        index : 0 or more, without end
        """
        turn, place = divmod(index, len(self.labels))
        label = self._ordered(self.labels, "class", turn)[place]
        lacking = self._lacking(label) if self._draw("negative", index) < self.negatives else ()
        if lacking:
            target = lacking[turn % len(lacking)]
            references = self._references(index, label, target)
            return Episode(self.seed, index, label, Place(target), references, negative=True)
        targets = self._targets(label)
        if not self.one_image:
            target = targets[turn % len(targets)]
            references = self._references(index, label, target)
            return Episode(self.seed, index, label, Place(target), references)
        name, (shown, asked, objects) = self._halved(label, turn)
        if self._draw("half", index) < 0.5:
            shown, asked, objects = asked, shown, objects[::-1]
        references = (Place(name, shown),) * max(1, min(self.references, objects[0]))
        return Episode(self.seed, index, label, Place(name, asked), references)

    def _index(
        self, asked: Iterable[str]
    ) -> tuple[dict[str, dict[str, list[str]]], dict[str, set[str]]]:
        """Return, for each class, the pictures with enough of it by group, and all that show it."""
        members: dict[str, dict[str, list[str]]] = {name: {} for name in asked}
        shown_in: dict[str, set[str]] = {name: set() for name in members}
        by_id = {self._class_id[name]: name for name in members}
        for index, picture in enumerate(self.dataset.names):
            for class_id, area in self.dataset.shown(index).items():
                label = by_id.get(class_id)
                if label is None:
                    continue
                shown_in[label].add(picture)
                if area >= self.least_area:
                    group = self.dataset.groups[picture]
                    members[label].setdefault(group, []).append(picture)
        return members, shown_in

    def _find_targets(self, label: str) -> tuple[str, ...]:
        """Return the pictures that can be asked for a class, in the order of their turns."""
        names: list[str] = []
        for pool in self._members[label].values():
            shared = Counter(self.dataset.fields[name] for name in pool)
            names += [
                name
                for name in pool
                if self.one_image
                or len(pool) - shared[self.dataset.fields[name]] >= self.least_references
            ]
        return self._ordered(names, "target", label)

    def _find_lacking(self, label: str) -> tuple[str, ...]:
        """Return the pictures that lack a class which others of their group show."""
        fields, groups = self.dataset.fields, self.dataset.groups
        shown = {
            group: Counter(fields[name] for name in pool)
            for group, pool in self._members[label].items()
        }
        names = [
            name
            for name in self.dataset.names
            if name not in self._shown_in[label]
            if (there := shown.get(groups[name]))
            if there.total() - there[fields[name]] >= self.least_references
        ]
        return self._ordered(names, "lacking", label)

    def _references(self, index: int, label: str, target: str) -> tuple[Place, ...]:
        """Choose references of other fields than the target's, of different ones if possible."""
        pool = self._members[label][self.dataset.groups[target]]
        order = self._ordered(self._others(pool, target), "reference", index, label)
        firsts = {self.dataset.fields[name]: name for name in reversed(order)}
        distinct = [name for name in order if firsts[self.dataset.fields[name]] == name]
        rest = [name for name in order if firsts[self.dataset.fields[name]] != name]
        return tuple(Place(name) for name in [*distinct, *rest][: self.references])

    def _others(self, pool: Iterable[str], target: str) -> list[str]:
        fields = self.dataset.fields
        return [name for name in pool if fields[name] != fields[target]]

    def _halved(self, label: str, turn: int) -> tuple[str, Halves]:
        """Return the picture whose turn it is among those that can be halved."""
        usable: list[tuple[str, Halves]] = []
        for name in self._targets(label):
            halves = self._halves(name, label)
            if halves is not None and max(1, min(halves[2])) >= self.least_references:
                usable.append((name, halves))
            if len(usable) > turn:
                break
        if not usable:
            raise ConfigError(
                f"No picture of {self.dataset.name} shows {label!r} on {self.least_area} pixels in "
                "both of its halves: lower least_area, or use one_image=False."
            )
        return usable[turn % len(usable)]

    def _find_halves(self, name: str, label: str) -> Halves | None:
        """Cut a picture so that both halves show a class; count the objects of each half."""
        loaded = self.dataset.load(self._number[name])
        mask = loaded.classes == self._class_id[label]
        height, width = mask.shape
        across = (0, 0, height // 2, width), (height // 2, 0, height, width)
        down = (0, 0, height, width // 2), (0, width // 2, height, width)
        for one, two in (across, down) if height > width else (down, across):
            areas = [int(np.count_nonzero(_cut(mask, part))) for part in (one, two)]
            if min(areas) >= self.least_area:
                numbered = loaded.instances * mask
                first, second = (np.unique(_cut(numbered, part)) for part in (one, two))
                return one, two, (int((first > 0).sum()), int((second > 0).sum()))
        return None

    def _ordered(self, names: Iterable[str], *words: object) -> tuple[str, ...]:
        """Put names in an order that depends on the seed, the words and each name alone."""
        return tuple(sorted(names, key=lambda name: (self._digest(*words, name), name)))

    def _draw(self, *words: object) -> float:
        """Return a number in [0, 1) that depends on the seed and the words."""
        return int.from_bytes(self._digest(*words)[:6], "big") / 2.0**48

    def _digest(self, *words: object) -> bytes:
        return _hash(self.seed, *words)


def build_episode_list(
    dataset: LabelledDataset,
    seed: int = 0,
    count: int = 20,
    *,
    negatives: float = 0.0,
    least_area: int = LEAST_AREA,
    references: int = REFERENCES,
    least_references: int = 1,
    one_image: bool = False,
    classes: Collection[str] | None = None,
) -> EpisodeList:
    """Draw the first `count` episodes of a data set.

    Parameters and errors are those of :class:`EpisodeDrawer`. A list of 200 begins with the list of
    20.

    Returns
    -------
    episodes : EpisodeList
    """
    drawer = EpisodeDrawer(
        dataset,
        seed,
        negatives=negatives,
        least_area=least_area,
        references=references,
        least_references=least_references,
        one_image=one_image,
        classes=classes,
    )
    rules = {
        "negatives": negatives,
        "least_area": least_area,
        "references": references,
        "least_references": least_references,
        "one_image": one_image,
        "classes": None if classes is None else sorted(classes),
    }
    episodes = tuple(drawer.episode(index) for index in range(count))
    return EpisodeList(dataset.name, seed, rules, episodes)


def first_picture_episodes(dataset: LabelledDataset, *, least_area: int = 1) -> EpisodeList:
    """Ask every other picture of each class for what its first picture shows.

    So PerSeg (reference ``00``) and DAVIS-2017 (the first frame) are measured in print. The first
    ones of the list are spread over the classes; an index does not depend on the order.

    Parameters
    ----------
    dataset : LabelledDataset
    least_area : pixels from which a class counts in a picture
    """
    pictures: dict[int, list[str]] = {}
    for index, name in enumerate(dataset.names):
        for class_id, area in dataset.shown(index).items():
            if area >= least_area:
                pictures.setdefault(class_id, []).append(name)
    pairs = [
        (dataset.class_names[class_id - 1], names[0], target)
        for class_id, names in sorted(pictures.items())
        for target in names[1:]
    ]
    asked = (
        Episode(0, index, label, Place(target), (Place(reference),))
        for index, (label, reference, target) in enumerate(pairs)
    )
    episodes = tuple(_in_turns(asked))
    return EpisodeList(dataset.name, 0, {"reference": "first picture"}, episodes)


def _in_turns(episodes: Iterable[Episode]) -> list[Episode]:
    """Let classes take turns, by chance in each round: a few episodes ask for many classes."""
    drawn = sorted((_hash(e.label, e.target.picture), e.index, e) for e in episodes)
    asked: Counter[str] = Counter()
    rounds = []
    for chance, index, episode in drawn:
        rounds.append((asked[episode.label], chance, index, episode))
        asked[episode.label] += 1
    return [episode for *_, episode in sorted(rounds)]


def _hash(*words: object) -> bytes:
    # The separator occurs in no name of a file.
    text = "\0".join(map(str, words))
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).digest()


def _cut(array: NDArray[np.generic], part: Part) -> NDArray[np.generic]:
    top, left, bottom, right = part
    return array[top:bottom, left:right]
