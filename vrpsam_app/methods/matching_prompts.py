"""Evidence as questions: points, a box and a mask for each part that may be the object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from vrpsam_app.geometry import fit_within, resize_bilinear
from vrpsam_app.methods.matching_evidence import Evidence

WORK_SIDE = 256
"""Longer side of the grid on which guesses are compared: that of SAM's own answers."""

MOST_PARTS = 32
SPECK = 0.02
"""Parts with less evidence than this share of the strongest one are left alone."""

MOST_POINTS = 48
"""In all parts together."""

SURE = 0.7
"""Evidence that further points of a part need: on the rim of an object they would be beside it."""

APART = 2.0
"""Cells between two points."""

OPINION = 2 / 3
"""Weight of a trained model's probability beside the evidence, which is coarser."""

MASK_GAIN = 16.0
"""Logits of a mask prompt for the whole span of evidence: SAM's own answers reach about as far."""


@dataclass(frozen=True, slots=True, eq=False)
class EvidenceParts:
    """Connected parts of the evidence.

    Attributes
    ----------
    evidence : shape (h, w), float32 in [0, 1]
        On the working grid over the target.
    owner : shape (h, w), int
        Number of the nearest part, 1 to N; all 0 if there is none.
    boxes_xyxy : shape (N, 4), float32
        In pixels of the target, half-open.
    points_xy : N arrays of shape (P, 2), float32
        The best places of each part, best first, in pixels of the target.
    beside_xy : shape (2,)
        The least likely place of the target.
    """

    evidence: NDArray[np.float32]
    owner: NDArray[np.int32]
    boxes_xyxy: NDArray[np.float32]
    points_xy: tuple[NDArray[np.float32], ...]
    beside_xy: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.points_xy)

    def logits(self, part: int | None = None) -> NDArray[np.float32]:
        """Return the evidence as logits, shape (h, w); of one part alone if its index is given."""
        logits: NDArray[np.float32] = MASK_GAIN * (self.evidence - np.float32(0.5))
        if part is None:
            return logits
        return np.where(self.owner == part + 1, logits, np.float32(-MASK_GAIN / 2))

    @classmethod
    def of(cls, found: Evidence, opinion: NDArray[np.float32] | None = None) -> EvidenceParts:
        """Divide what speaks for the object into parts where it exceeds one half.

        Where it does so nowhere the strongest place is the only part.

        Parameters
        ----------
        found : Evidence
        opinion : shape (H, W), optional
            Probability by somebody else, which counts `OPINION` beside the evidence.
        """
        original = found.grid.original_hw
        hw = fit_within(original, WORK_SIDE)
        values = found.grid.to_picture(found.values[None, None], hw)[0, 0].cpu().numpy()
        if opinion is not None:
            values = (1 - OPINION) * values + OPINION * resize_bilinear(opinion, hw)
        above = values > 0.5
        if not above.any():
            above = values >= values.max()
        numbered, count = ndimage.label(above)
        strength = ndimage.sum_labels(values, numbered, np.arange(1, count + 1))
        order = np.argsort(-strength, kind="stable")[:MOST_PARTS]
        order = order[strength[order] >= SPECK * strength.max()]
        renumber = np.zeros(count + 1, np.int32)
        renumber[order + 1] = np.arange(1, len(order) + 1)
        parts = renumber[numbered]
        _, (rows, cols) = ndimage.distance_transform_edt(parts == 0, return_indices=True)
        owner = parts[rows, cols]
        scale = np.array(original[::-1]) / np.array(hw[::-1])
        boxes = [
            np.array([c.start, r.start, c.stop, r.stop]) * np.tile(scale, 2)
            for r, c in ndimage.find_objects(parts)
        ]
        lowest = divmod(int(found.values.argmin()), found.values.shape[1])
        return cls(
            values.astype(np.float32),
            owner,
            np.array(boxes, np.float32),
            _points(found, owner, len(order)),
            found.grid.cell_xy(*lowest),
        )


def _points(
    found: Evidence, owner: NDArray[np.int32], count: int
) -> tuple[NDArray[np.float32], ...]:
    """Choose the best cells, some way apart, and give each to the part it lies in or near.

    Of equal evidence the cell that more of the references' object was matched to comes first. Each
    part has the cell where it is strongest, unless it holds no cell's middle.
    """
    h, w = found.grid.cells_hw
    hits = found.matches.hits.reshape(h, w)
    merit = (found.values + 0.1 * hits / hits.max().clamp_min(1e-6)).cpu().numpy()
    xy = np.array([[found.grid.cell_xy(r, c) for c in range(w)] for r in range(h)])
    height, width = found.grid.original_hw
    rows = np.minimum((xy[..., 1] / height * owner.shape[0]).astype(int), owner.shape[0] - 1)
    cols = np.minimum((xy[..., 0] / width * owner.shape[1]).astype(int), owner.shape[1] - 1)
    belongs = owner[rows, cols]
    chosen: list[list[NDArray[np.float32]]] = [[] for _ in range(count)]
    free = np.where(found.values.cpu().numpy() > SURE, merit, -np.inf)

    def choose(row: int, col: int) -> None:
        chosen[belongs[row, col] - 1].append(xy[row, col])
        free[_near((row, col), free.shape)] = -np.inf

    for part in range(1, count + 1):
        if (belongs == part).any():
            choose(*divmod(int(np.where(belongs == part, merit, -np.inf).argmax()), w))
    for _ in range(MOST_POINTS - count):
        best = divmod(int(free.argmax()), w)
        if not np.isfinite(free[best]):
            break
        choose(*best)
    return tuple(np.array(points, np.float32).reshape(-1, 2) for points in chosen)


def _near(place: tuple[int, int], hw: tuple[int, ...]) -> NDArray[np.bool_]:
    rows, cols = np.ogrid[: hw[0], : hw[1]]
    near: NDArray[np.bool_] = np.hypot(rows - place[0], cols - place[1]) <= APART
    return near


def as_tensor(logits: NDArray[np.float32]) -> torch.Tensor:
    """Return logits as a tensor of its own."""
    return torch.from_numpy(np.ascontiguousarray(logits))
