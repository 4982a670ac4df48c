"""A random forest on multiscale filters, trained on the marked pixels: the classical peer.

This is what interactive pixel classifiers do, and on pictures unlike any training data it is hard
to beat.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.embedding_store import EmbeddingStore
from vrpsam_app.errors import MissingExtraError
from vrpsam_app.methods.pixel_method import Example, Picture, PixelMethod, Share, picture_key

Features = NDArray[np.float32]

LOW_PERCENTILE, HIGH_PERCENTILE = 1.0, 99.8
"""Intensities of each picture that become 0 and 1 before it is filtered."""

SIGMAS = (1.0, 8.0)
"""Smallest and largest Gaussian in pixels; scikit-image doubles from one to the other."""

SAMPLES_PER_SIDE = 3000
"""Pixels drawn of the object and of the background, over all references."""

TRUST_IN_RING, TRUST_IN_UNMARKED = 0.6, 0.4
"""Weight of weak background, beside 1 for pixels that certainly are background."""


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

    Notes
    -----
    Unmarked pixels of a reference that is not exhaustive are drawn at random as weak background,
    at a smaller weight. Object and background weigh the same in all, so that a click is not
    outvoted. One thread, because more would add the trees' votes in changing order.
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
        self.trees, self.depth, self.seed = trees, depth, seed
        self._store = EmbeddingStore() if store is None else store

    def _probability(self, picture: Picture, examples: Sequence[Example]) -> Share:
        colour = any(_has_colour(p) for p in (picture, *(e.picture for e in examples)))
        rng = np.random.default_rng(self.seed)
        drawn = [
            (self._features(e.picture, colour)[chosen], weight)
            for e, chosen, weight in _samples(examples, rng, positive=True)
        ]
        against = [
            (self._features(e.picture, colour)[chosen], weight)
            for e, chosen, weight in _samples(examples, rng, positive=False)
        ]
        if not against:
            return np.ones(picture.shape[:2], np.float32)
        truth = np.repeat([1, 0], [sum(len(w) for _, w in side) for side in (drawn, against)])
        weights = np.concatenate([_unit(side) for side in (drawn, against)])
        forest = self._forest()
        forest.fit(np.concatenate([x for x, _ in drawn + against]), truth, weights)
        rows = self._features(picture, colour).reshape(picture.shape[0] * picture.shape[1], -1)
        probability: Share = forest.predict_proba(rows)[:, 1].astype(np.float32)
        return probability.reshape(picture.shape[:2])

    def _features(self, picture: Picture, colour: bool) -> Features:
        """Filter a picture, or find its features, shape (h, w, F)."""
        return self._store.get_or_compute(
            f"{self.name}/{picture_key(picture)}/{colour}",
            lambda: multiscale_features(picture, colour=colour),
        )

    def _forest(self) -> Any:
        try:
            from sklearn.ensemble import RandomForestClassifier
        except ImportError as error:
            raise MissingExtraError(
                "The pixel forest needs scikit-learn, which is not installed: "
                "pip install 'vrpsam-app[evaluate]'."
            ) from error
        return RandomForestClassifier(
            self.trees,
            max_depth=self.depth,
            max_features="sqrt",
            min_samples_leaf=2,
            random_state=self.seed,
            n_jobs=1,
        )

    def _settings(self) -> dict[str, object]:
        return {"trees": self.trees, "depth": self.depth, "seed": self.seed}

    def _versions(self) -> dict[str, str]:
        import skimage
        import sklearn

        return {"scikit-image": skimage.__version__, "scikit-learn": sklearn.__version__}


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

    values = picture.astype(np.float32) if colour else picture[..., 0].astype(np.float32)
    low, high = np.percentile(values, (LOW_PERCENTILE, HIGH_PERCENTILE))
    values = (values - low) / max(float(high - low), 1.0)
    height, width = values.shape[:2]
    # Second differences need three rows and columns.
    missing = [(0, max(0, 3 - side)) for side in (height, width)]
    padded = np.pad(values, missing + [(0, 0)] * (values.ndim - 2), mode="edge")
    features: Features = multiscale_basic_features(
        padded, channel_axis=-1 if colour else None, sigma_min=SIGMAS[0], sigma_max=SIGMAS[1]
    )
    return features[:height, :width].astype(np.float32)


def _has_colour(picture: Picture) -> bool:
    return bool((picture != picture[..., :1]).any())


def _samples(
    examples: Sequence[Example], rng: np.random.Generator, *, positive: bool
) -> list[tuple[Example, tuple[NDArray[np.intp], ...], NDArray[np.float64]]]:
    """Draw pixels of one side: example, (rows, columns), weights."""
    wanted: list[tuple[Example, Share, float]] = []
    for example in examples:
        if positive:
            wanted.append((example, example.positive, 1.0))
            continue
        wanted.append((example, example.certain, 1.0))
        if example.shows_object:
            wanted.append((example, example.weak, TRUST_IN_RING))
            wanted.append((example, example.unmarked, TRUST_IN_UNMARKED))
    wanted = [(e, share, trust) for e, share, trust in wanted if share.any()]
    drawn = []
    for example, share, trust in wanted:
        spots = np.flatnonzero(share)
        count = SAMPLES_PER_SIDE // len(wanted)
        if len(spots) > count:
            spots = rng.choice(spots, count, replace=False)
        weight = share.ravel()[spots].astype(np.float64)
        drawn.append((example, np.unravel_index(spots, share.shape), weight * trust / weight.sum()))
    return drawn


def _unit(side: list[tuple[Features, NDArray[np.float64]]]) -> NDArray[np.float64]:
    """Return all weights of one side, scaled to a mean of 1 over `SAMPLES_PER_SIDE`."""
    weights = np.concatenate([w for _, w in side])
    return weights / weights.sum() * SAMPLES_PER_SIDE
