"""Batches of the paper's experiments: pairs of whole pictures, marked by its simulation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from vrpsam_app.annotations import Kind
from vrpsam_app.data.labelled_dataset import LabelledImage
from vrpsam_app.data.paper_marks import KINDS, Marks, paper_marks
from vrpsam_app.data.whole_pictures import Pair, WholePictures
from vrpsam_app.images import plane_key
from vrpsam_app.references import Reference
from vrpsam_app.training.episode_batch import EpisodeBatch
from vrpsam_app.training.episode_collation import MarkedEpisode, collate


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PairPlan:
    """What each batch is made of; batch number k of seed s is the same everywhere.

    Attributes
    ----------
    sources : pairs of pictures and weight
        Each episode is drawn from one of them; all squash to the same side.
    marks : "mask", "box", "scribble", "point", or "mix" for one of these for each episode
    size : int
        Episodes per batch.
    seed : int
    training : bool
        Whether numbers of points and strokes vary, as in training; see `paper_marks`.
    """

    sources: Sequence[tuple[WholePictures, float]]
    marks: Marks = "mask"
    size: int = 8
    seed: int = 321
    training: bool = True

    def batch(self, number: int) -> EpisodeBatch:
        """Make batch number `number`."""
        return self.classified(number)[0]

    def classified(self, number: int) -> tuple[EpisodeBatch, tuple[str, ...]]:
        """Make batch number `number`; the class of each episode comes with it."""
        places: dict[tuple[int, int], int] = {}  # source and picture -> image of the batch
        pictures: list[LabelledImage] = []
        episodes, classes = [], []

        def place(source: int, index: int) -> int:
            if (source, index) not in places:
                places[source, index] = len(pictures)
                pictures.append(self.sources[source][0].read(index))
            return places[source, index]

        for k in range(number * self.size, (number + 1) * self.size):
            chosen = self._source(k)
            source = self.sources[chosen][0]
            pair, rng = source.draw(self.seed, k)
            episodes.append(
                _marked(
                    rng,
                    KINDS[int(rng.integers(len(KINDS)))] if self.marks == "mix" else self.marks,
                    pair,
                    (place(chosen, pair.reference), source.read(pair.reference)),
                    (place(chosen, pair.target), source.read(pair.target)),
                    training=self.training,
                )
            )
            classes.append(source.dataset.class_names[pair.class_id - 1])
        images = np.stack([p.image for p in pictures])  # (N, S, S, 3)
        batch = EpisodeBatch(
            images=torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))),
            sets=(collate(episodes),),
            keys=tuple(plane_key(p.image) for p in pictures),
        )
        return batch, tuple(classes)

    def _source(self, episode: int) -> int:
        if len(self.sources) == 1:
            return 0
        weights = np.array([w for _, w in self.sources])
        rng = np.random.default_rng([self.seed, episode, 0])
        return int(rng.choice(len(weights), p=weights / weights.sum()))


def _marked(
    rng: np.random.Generator,
    kind: Kind,
    pair: Pair,
    reference: tuple[int, LabelledImage],
    target: tuple[int, LabelledImage],
    *,
    training: bool,
) -> MarkedEpisode:
    """Mark a pair's reference; each picture comes with its place in the batch."""
    shown, asked = reference[1], target[1]
    whole = shown.classes == pair.class_id
    unknown = shown.ignored_for(pair.class_id)
    outside = ~(whole | unknown)
    told = kind == "mask"
    marked = Reference(
        image=shown.image,
        positive=paper_marks(rng, kind, whole, training=training),
        negative=outside if told else np.zeros_like(whole),
        kind=kind,
    )
    left_out = asked.ignored_for(pair.class_id)
    return MarkedEpisode(
        references=(reference[0],),
        target=target[0],
        marked=(marked,),
        truth=asked.classes == pair.class_id,
        unknown=left_out if left_out.any() else None,
        # SAM gets the visual prompts alone.
        points_xy=np.zeros((0, 2), np.float32),
        point_labels=np.zeros(0, np.int64),
    )
