"""A threshold whose channel, blur, rule and polarity are chosen on the references."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vrpsam_app.embeddings.store import EmbeddingStore
from vrpsam_app.methods.pixel_method import Example, Picture, PixelMethod, Share, has_colour

Channel = Literal["grey", "red", "green", "blue", "saturation", "red_green", "yellow_blue"]
Rule = Literal["otsu", "local"]

CHANNELS: tuple[Channel, ...] = get_args(Channel)
BLURS = (0.0, 1.5, 4.0)
"""Gaussians in pixels of the working grid."""

LOCAL_WINDOW = 61
"""Side of the square whose mean is the local threshold, in pixels of the working grid."""

STEEPNESS = 4.0
"""How fast the probability grows with the distance from the threshold, in deviations."""

TRUST_IN_WEAK = 0.4
"""Weight of rings outside boxes and of unmarked pixels, beside 1 for certain background."""


@dataclass(frozen=True, slots=True)
class ThresholdRule:
    """One way to cut a picture in two.

    Attributes
    ----------
    channel, blur : what is cut: see :func:`channel_of`
    rule : one threshold by Otsu, or the mean of the surroundings
    bright : whether the object is above the threshold
    """

    channel: Channel
    blur: float
    rule: Rule
    bright: bool

    def distance(self, picture: Picture) -> Share:
        """Return how far inside each pixel is, in deviations of the channel, shape (h, w)."""
        values = channel_of(picture, self.channel)
        if self.blur:
            values = ndimage.gaussian_filter(values, self.blur)
        deviation = float(values.std())
        if deviation < 1e-6:
            # Nothing is inside, whatever the polarity.
            return np.zeros(values.shape, np.float32)
        if self.rule == "otsu":
            cut: float | Share = otsu(values)
        else:
            cut = ndimage.uniform_filter(values, LOCAL_WINDOW, mode="reflect")
        distance: Share = ((values - cut) / deviation).astype(np.float32)
        return distance if self.bright else -distance


ALL_RULES = tuple(
    ThresholdRule(*choice)
    for choice in itertools.product(CHANNELS, BLURS, get_args(Rule), (True, False))
)
GREY_RULES = tuple(rule for rule in ALL_RULES if rule.channel == "grey")


class TunedThreshold(PixelMethod):
    """The threshold with the best IoU on the known pixels of the references.

    Notes
    -----
    Where not everything is marked, object and background weigh the same; where no background is
    certain, all unmarked pixels stand for it.
    """

    name: ClassVar[str] = "tuned_threshold"
    working_side: ClassVar[int] = 384

    def __init__(self, *, store: EmbeddingStore | None = None) -> None:
        self._store = EmbeddingStore() if store is None else store

    def choose(self, examples: Sequence[Example], rules: Sequence[ThresholdRule]) -> ThresholdRule:
        """Return the rule with the best IoU, the first of equals."""
        counts = sum(self._counts(e, rules) for e in examples)
        hit, false, wanted = np.moveaxis(np.asarray(counts), 1, 0)
        return rules[int(np.argmax(hit / np.maximum(wanted + false, 1e-9)))]

    def _probability(self, picture: Picture, examples: Sequence[Example]) -> Share:
        grey = not any(has_colour(p) for p in (picture, *(e.picture for e in examples)))
        rule = self.choose(examples, GREY_RULES if grey else ALL_RULES)
        probability: Share = 1 / (1 + np.exp(-STEEPNESS * rule.distance(picture)))
        return probability

    def _counts(self, example: Example, rules: Sequence[ThresholdRule]) -> NDArray[np.float64]:
        """Weigh hits, false alarms and all of the object for each rule, shape (rules, 3)."""

        def compute() -> NDArray[np.float64]:
            positive, background = _weights(example)
            # The two polarities of a rule share all the work.
            bright = {replace(rule, bright=True) for rule in rules}
            distances = {rule: rule.distance(example.picture) for rule in bright}
            counts = []
            for rule in rules:
                distance = distances[replace(rule, bright=True)]
                found = distance > 0 if rule.bright else distance < 0
                counts.append([positive[found].sum(), background[found].sum(), positive.sum()])
            return np.array(counts)

        return self._store.get_or_compute(f"{self.name}/{example.key}/{len(rules)}", compute)


def channel_of(picture: Picture, channel: Channel) -> Share:
    """Return one quantity of a picture, shape (h, w, 3), as (h, w), float32.

    The last two channels are the a and b axes of CIE Lab: green to red, blue to yellow.
    """
    from skimage import color

    if channel == "grey":
        return picture.mean(2, dtype=np.float32)
    if channel in ("red", "green", "blue"):
        return picture[..., ("red", "green", "blue").index(channel)].astype(np.float32)
    if channel == "saturation":
        spread: Share = np.ptp(picture, 2).astype(np.float32)
        return spread / np.maximum(picture.max(2), 1)
    lab: Share = color.rgb2lab(picture)[..., 1 if channel == "red_green" else 2]
    return lab.astype(np.float32)


def otsu(values: Share) -> float:
    """Return the threshold that parts the values into two groups of least spread.

    Otsu, A threshold selection method from gray-level histograms, 1979.
    """
    from skimage.filters import threshold_otsu

    return float(threshold_otsu(values))


def _weights(example: Example) -> tuple[Share, Share]:
    """Weigh each pixel as object and as background, both of shape (h, w)."""
    if example.exhaustive or not example.shows_object:
        return example.positive, example.certain
    weak = example.weak if example.certain.any() else example.weak + example.unmarked
    background = example.certain + np.float32(TRUST_IN_WEAK) * weak
    total = float(background.sum())
    balance = np.float32(example.positive.sum() / total if total > 0 else 0)
    return example.positive, background * balance
