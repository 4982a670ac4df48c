"""Which part of what looks like an object is that object: the part that is where it should be.

Everything that looks alike is divided among tracks, those of the labels and those of look-alikes
that nobody asked for. A piece goes whole to the one track that it lies near; a piece that several
tracks claim, because two things touch or hide each other, is cut between them. What no track
explains is an object that had been out of sight, or another look-alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vrpsam_app.video.tracks import Track

OWNED = 0.85
"""Share of a piece that is one track's for the piece to be its alone."""
SPECK = 0.03
"""Pieces below this share of the smallest object's area are nobody's."""
RETURNING = (0.4, 3.0)
"""An object may come back with so much of its area; with less only across the frame's border."""
ENTERING = 0.05
"""Share of its area with which an object may come in from outside."""
FORGOTTEN = 12
"""Frames after which an unseen look-alike is forgotten."""

_AROUND = np.ones((3, 3))


class Following:
    """The tracks of labels that look alike, and of what else looks like them.

    Attributes
    ----------
    tracks : those of labels first
    cut : labels that had to be cut from something else in the last frame
    """

    def __init__(self, tracks: Sequence[Track] = ()) -> None:
        self.tracks = list(tracks)
        self.cut: set[str] = set()

    def begin(self, seeds: Mapping[str, NDArray[np.bool_]], alike: NDArray[np.bool_]) -> None:
        """Begin with the objects that were marked; what else looks alike is not them.

        Parameters
        ----------
        seeds : label to mask on the grid, not empty
        alike : all that looks like one of them
        """
        self.tracks = [Track.begin(label, mask) for label, mask in seeds.items()]
        mine = np.any(list(seeds.values()), axis=0)
        pieces, _ = ndimage.label(alike & ~ndimage.binary_dilation(mine, _AROUND), _AROUND)
        self._add_lookalikes(pieces, range(1, int(pieces.max()) + 1))

    def step(
        self, alike: NDArray[np.bool_], quality: NDArray[np.float32]
    ) -> dict[str, NDArray[np.bool_]]:
        """Divide what looks alike in the next frame.

        Parameters
        ----------
        alike : shape (h, w), bool
            On the grid.
        quality : shape (h, w), in [0, 1]
            How sure that is.

        Returns
        -------
        found : label to mask, empty where the object is not seen
        """
        pieces, count = ndimage.label(alike, _AROUND)
        shares, free = self._divide(pieces, count)
        self.cut = set()
        for number, track in enumerate(self.tracks):
            own = shares[number]
            if track.label is not None and own.any():
                own = _compact(own, pieces, track)
            if own.any():
                touched = {int(p) for p in np.unique(pieces[own]) if p}
                others = [s for i, s in enumerate(shares) if i != number]
                alone = not any(np.isin(pieces[s], list(touched)).any() for s in others)
                track.see(own, alone=alone)
                if not alone and track.label is not None:
                    self.cut.add(track.label)
            else:
                track.miss()
            shares[number] = own
        free = self._welcome_back(pieces, free, quality)
        self._add_lookalikes(pieces, free)
        self.tracks = [t for t in self.tracks if t.label is not None or t.unseen <= FORGOTTEN]
        nothing = np.zeros(alike.shape, np.bool_)
        return {
            name: nothing if track.unseen else track.mask for name, track in self.labelled().items()
        }

    def labelled(self) -> dict[str, Track]:
        """Return the tracks of labels."""
        return {t.label: t for t in self.tracks if t.label is not None}

    def adopt(self, label: str, alike: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Begin to follow an object whose place nobody marked: the largest piece that is free.

        Returns
        -------
        mask : empty if there is none
        """
        taken = [t.mask for t in self.tracks if t.label is not None and t.unseen == 0]
        free = alike & ~np.any(taken, axis=0) if taken else alike
        pieces, count = ndimage.label(free, _AROUND)
        if not count:
            return np.zeros(alike.shape, np.bool_)
        mask: NDArray[np.bool_] = pieces == 1 + int(np.bincount(pieces.ravel())[1:].argmax())
        self.place(label, mask)
        return mask

    def place(self, label: str, mask: NDArray[np.bool_]) -> None:
        """Say where an object is now, because it was marked there or is found for the first time.

        Parameters
        ----------
        mask : not empty
        """
        self.tracks = [
            t for t in self.tracks if t.label not in (None, label) or not (t.mask & mask).any()
        ]
        self.tracks = [t for t in self.tracks if t.label != label]
        self.tracks.insert(0, Track.begin(label, mask))
        self.cut.discard(label)

    def _divide(
        self, pieces: NDArray[np.int32], count: int
    ) -> tuple[list[NDArray[np.bool_]], list[int]]:
        """Return the share of each track, and the pieces that none claims."""
        shares = [np.zeros(pieces.shape, np.bool_) for _ in self.tracks]
        near = [i for i, t in enumerate(self.tracks) if not t.lost]
        if not near:
            return shares, list(range(1, count + 1))
        costs = np.stack([self.tracks[i].cost() for i in near])
        reach = np.array([self.tracks[i].reach for i in near])
        nearest = costs.argmin(0)
        claimed = costs.min(0) <= reach[nearest]
        free = []
        for piece in range(1, count + 1):
            here = pieces == piece
            votes = np.bincount(nearest[here & claimed], minlength=len(near))
            if not votes.any():
                free.append(piece)
                continue
            best = int(votes.argmax())
            if votes[best] >= OWNED * votes.sum() or not self._several(votes, near):
                shares[near[best]] |= here
                continue
            claimants = np.flatnonzero(votes)
            owner = claimants[costs[claimants].argmin(0)]
            for claimant in claimants:
                shares[near[claimant]] |= here & (owner == claimant)
        return shares, free

    def _several(self, votes: NDArray[np.intp], near: Sequence[int]) -> bool:
        """Tell whether a piece is large enough for a second one of its claimants."""
        second = np.argsort(votes)[-2]
        return bool(votes[second] >= OWNED / 8 * self.tracks[near[second]].area)

    def _welcome_back(
        self, pieces: NDArray[np.int32], free: list[int], quality: NDArray[np.float32]
    ) -> list[int]:
        """Give unseen objects what looks most like them; return the pieces that are left.

        What came into sight after an object went out of it may be that object, although it was too
        little to tell when it appeared.
        """
        for track in self.tracks:
            if track.label is None or track.unseen == 0:
                continue
            candidates = [(pieces == piece, piece, None) for piece in free] + [
                (other.mask, None, other)
                for other in self.tracks
                if other.label is None and other.unseen == 0 and other.age < track.unseen
            ]
            scored = [
                (score, place)
                for place, (here, _, _) in enumerate(candidates)
                if (score := _likeness(here, track, quality)) is not None
            ]
            if not scored:
                continue
            here, piece, other = candidates[max(scored)[1]]
            track.see(here, alone=True)
            free = [number for number in free if number != piece]
            self.tracks = [t for t in self.tracks if t is not other]
        return free

    def _add_lookalikes(self, pieces: NDArray[np.int32], numbers: Sequence[int]) -> None:
        known = [t.area for t in self.tracks if t.label is not None]
        least = SPECK * min(known, default=0.0)
        for number in numbers:
            here = pieces == number
            if np.count_nonzero(here) > least:
                self.tracks.append(Track.begin(None, here))


def _likeness(here: NDArray[np.bool_], track: Track, quality: NDArray[np.float32]) -> float | None:
    """Return how well a piece fits an object that had gone, None if it cannot be it."""
    ratio = np.count_nonzero(here) / track.area
    least = ENTERING if _touches_border(here) else RETURNING[0]
    if not least <= ratio <= RETURNING[1]:
        return None
    return float(quality[here].mean()) * min(ratio, 1 / ratio) ** 0.5


def _touches_border(mask: NDArray[np.bool_]) -> bool:
    return bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())


def _compact(own: NDArray[np.bool_], pieces: NDArray[np.int32], track: Track) -> NDArray[np.bool_]:
    """Keep the pieces that overlap where the object should be, or else the nearest one."""
    numbers = np.unique(pieces[own])
    if len(numbers) < 2:
        return own
    expected = track.expected()
    inside = [n for n in numbers if (expected & own & (pieces == n)).any()]
    if not inside:
        cost = track.cost()
        inside = [min(numbers, key=lambda n: float(cost[own & (pieces == n)].min()))]
    kept: NDArray[np.bool_] = own & np.isin(pieces, inside)
    return kept
