"""From which presence on an object counts as there, chosen on answers to pictures of training."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from vrpsam_app.errors import ConfigError
from vrpsam_app.evaluation.episode_result import EpisodeResult

COST = 0.02
"""Mean IoU that present objects may lose by being judged absent, as for the embedded model."""
HIGHEST = 0.9
"""No threshold above this: a method that is sure of everything is taken at its word."""


@dataclass(frozen=True, slots=True)
class PresenceChoice:
    """A threshold, and what it does to the answers it was chosen on.

    Attributes
    ----------
    threshold : on the presence, two digits
    iou_lost : mean IoU that present objects lose by it
    absent_found : share of the targets without the object that reach it, None without such
    present, absent : targets that it was chosen on
    """

    threshold: float
    iou_lost: float
    absent_found: float | None
    present: int
    absent: int


def choose_presence(results: Iterable[EpisodeResult], *, cost: float = COST) -> PresenceChoice:
    """Return the highest threshold at which present objects lose no more than `cost` of mean IoU.

    Parameters
    ----------
    results : answers of one method, each data set with the same weight however many it has
    cost : mean IoU that may be lost

    Raises
    ------
    ConfigError
        If no target shows the object.
    """
    answered = [r for r in results if r.figures is not None]
    shown = [(r, r.figures) for r in answered if r.figures and not r.asked.negative]
    absent = [r.figures.presence for r in answered if r.figures and r.asked.negative]
    if not shown:
        raise ConfigError(
            "No answered question shows the object: expected some to choose a threshold on."
        )
    names = [r.asked.dataset for r, _ in shown]
    weights = np.array([1 / names.count(name) for name in names])
    weights /= weights.sum()
    presence = np.array([figures.presence for _, figures in shown])
    iou = np.array([figures.ungated_iou for _, figures in shown])

    def lost(threshold: float) -> float:
        return float((weights * iou)[presence < threshold].sum())

    candidates = np.round(np.arange(0, HIGHEST + 0.005, 0.01), 2)
    threshold = max(float(t) for t in candidates if lost(float(t)) <= cost)
    found = None if not absent else float(np.mean(np.array(absent) >= threshold))
    return PresenceChoice(threshold, lost(threshold), found, len(shown), len(absent))
