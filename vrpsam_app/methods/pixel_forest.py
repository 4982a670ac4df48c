"""A random forest on multiscale filters, trained on the marked pixels: the classical peer.

This is what interactive pixel classifiers do, and on pictures unlike any training data it is hard
to beat.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.embeddings.store import EmbeddingStore
from vrpsam_app.errors import MissingExtraError
from vrpsam_app.images import plane_key
from vrpsam_app.methods.pixel_method import (
    Example,
    Picture,
    PixelMethod,
    Share,
    has_colour,
    stretched,
)

Features = NDArray[np.float32]

SIGMAS = (1.0, 8.0)
"""Smallest and largest Gaussian in pixels; scikit-image doubles from one to the other."""

SAMPLES = 3000
"""Pixels drawn at most of each side, object and background, of all references together."""

LEAST_UNMARKED = 60
"""Unmarked pixels drawn at least; else as many as the reference has marked pixels."""

TRUST_IN_RING, TRUST_IN_UNMARKED = 0.6, 0.4
"""Weight of weak background, beside 1 for pixels that certainly are background."""

LEAF_SHARE, SPARSE_LEAF_SHARE = 0.01, 0.15
"""Share of all weight that a leaf must hold: where everything is marked, and where little is."""


class PixelForest(PixelMethod):
    """Random forest of scikit-learn on scikit-image's multiscale basic features.

    Parameters
    ----------
    trees : int
    depth : int
        Of each tree at most.
    seed : int
        Of the samples and the trees.
    store : EmbeddingStore, optional
        Where the features of pictures are kept.

    Raises
    ------
    MissingExtraError
        If scikit-learn is not installed.

    Notes
    -----
    Unmarked pixels of a reference that is not exhaustive are drawn at random as weak background.
    Object and background weigh the same in all, so that a click is not outvoted.

    A plain forest learns a click by heart: on real pictures it found the clicked pixels and not
    their like. Where something is left unmarked the trees therefore split at random (extremely
    randomised trees) and end in large leaves, which was the best of a small grid for clicks, boxes
    and outlines alike.

    One thread, because more would add the trees' votes in changing order.
    """

    name: ClassVar[str] = "pixel_forest"

    def __init__(
        self,
        *,
        trees: int = 40,
        depth: int = 12,
        seed: int = 0,
        store: EmbeddingStore | None = None,
    ) -> None:
        if find_spec("sklearn") is None:
            raise MissingExtraError(
                "The pixel forest needs scikit-learn, which is not installed: "
                "pip install 'vrpsam-app[evaluate]'."
            )
        self.trees, self.depth, self.seed = trees, depth, seed
        self._store = EmbeddingStore() if store is None else store

    def _probability(self, picture: Picture, examples: Sequence[Example]) -> Share:
        colour = any(has_colour(p) for p in (picture, *(e.picture for e in examples)))
        rng = np.random.default_rng(self.seed)
        samples = [_draw(rng, _objects(examples)), _draw(rng, _background(examples))]
        if not samples[1]:
            # A picture that is object all over says nothing of what is not.
            return np.ones(picture.shape[:2], np.float32)
        rows = [self._features(s.picture, colour)[s.spots] for side in samples for s in side]
        counts = [sum(len(s.weights) for s in side) for side in samples]
        weights = [np.concatenate([s.weights for s in side]) for side in samples]
        forest = self._forest(sparse=any(e.unmarked.any() for e in examples))
        forest.fit(
            np.concatenate(rows),
            np.repeat([1, 0], counts),
            np.concatenate([w / w.sum() for w in weights]) * sum(counts),
        )
        features = self._features(picture, colour)
        flat = features.reshape(-1, features.shape[-1])
        probability: Share = forest.predict_proba(flat)[:, 1].astype(np.float32)
        return probability.reshape(picture.shape[:2])

    def _features(self, picture: Picture, colour: bool) -> Features:
        """Filter a picture, or find its features, shape (h, w, F)."""
        return self._store.get_or_compute(
            f"{self.name}/{plane_key(picture)}/{colour}",
            lambda: multiscale_features(picture, colour=colour),
        )

    def _forest(self, *, sparse: bool) -> Any:
        from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

        return (ExtraTreesClassifier if sparse else RandomForestClassifier)(
            self.trees,
            max_depth=self.depth,
            min_samples_leaf=2,
            min_weight_fraction_leaf=SPARSE_LEAF_SHARE if sparse else LEAF_SHARE,
            random_state=self.seed,
            n_jobs=1,
        )

    def _settings(self) -> dict[str, object]:
        return {"trees": self.trees, "depth": self.depth, "seed": self.seed}

    def _versions(self) -> dict[str, str]:
        return {name: version(name) for name in ("scikit-image", "scikit-learn")}


def multiscale_features(picture: Picture, *, colour: bool) -> Features:
    """Describe each pixel by intensity, edges and texture at several scales.

    Parameters
    ----------
    picture : shape (h, w, 3), uint8
    colour : whether to filter all three channels or, of a grey picture, only one

    Returns
    -------
    features : shape (h, w, F), float32
    """
    from skimage.feature import multiscale_basic_features

    values = stretched(picture) if colour else stretched(picture)[..., 0]
    height, width = values.shape[:2]
    # Second differences need three rows and columns.
    missing = [(0, max(0, 3 - side)) for side in (height, width)]
    padded = np.pad(values, missing + [(0, 0)] * (values.ndim - 2), mode="edge")
    features: Features = multiscale_basic_features(
        padded, channel_axis=-1 if colour else None, sigma_min=SIGMAS[0], sigma_max=SIGMAS[1]
    )
    return features[:height, :width].astype(np.float32)


class _Group(NamedTuple):
    """Pixels of one reference that stand for one side of the question."""

    picture: Picture
    share: Share
    trust: float
    most: int


class _Sample(NamedTuple):
    """Drawn pixels: (rows, columns) of a picture, and what each weighs."""

    picture: Picture
    spots: tuple[NDArray[np.intp], ...]
    weights: NDArray[np.float64]


def _objects(examples: Sequence[Example]) -> list[_Group]:
    return [_Group(e.picture, e.positive, 1.0, SAMPLES) for e in examples]


def _background(examples: Sequence[Example]) -> list[_Group]:
    groups = []
    for e in examples:
        groups.append(_Group(e.picture, e.certain, 1.0, SAMPLES))
        if e.shows_object:
            few = max(LEAST_UNMARKED, int(np.count_nonzero(e.positive)))
            groups.append(_Group(e.picture, e.weak, TRUST_IN_RING, SAMPLES))
            groups.append(_Group(e.picture, e.unmarked, TRUST_IN_UNMARKED, min(few, SAMPLES)))
    return groups


def _draw(rng: np.random.Generator, groups: Sequence[_Group]) -> list[_Sample]:
    """Draw pixels of each group that has any; a group weighs what it is trusted."""
    groups = [g for g in groups if g.share.any()]
    samples = []
    for group in groups:
        spots = np.flatnonzero(group.share)
        count = min(group.most, SAMPLES // len(groups))
        if len(spots) > count:
            spots = rng.choice(spots, count, replace=False)
        weights = group.share.ravel()[spots].astype(np.float64)
        weights *= group.trust / weights.sum()
        where = np.unravel_index(spots, group.share.shape)
        samples.append(_Sample(group.picture, where, weights))
    return samples
