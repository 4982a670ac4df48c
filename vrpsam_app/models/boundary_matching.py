"""Boundary point matching, a training aid: how far a mask's boundary is from that of the truth.

Points are spread along the true boundary. Each is matched with the place where the predicted mask
ends on the line through it, at right angles to the boundary; the squared distance of the two is
minimised. A soft edge has no one place: there the distance is averaged over where it may be.

After the idea of the point matching module of arXiv:2403.09199, of which its summaries say that it
draws predicted boundary points to true ones; the way in which they are matched is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

POINTS = 64
"""Along the boundary of one object."""

REACH = 4.0
"""Cells of the mask's grid, to both sides, in which the predicted boundary is looked for."""

LOOKS = 17
"""Places on the line at which the mask is read."""


@dataclass(frozen=True, slots=True, eq=False)
class BoundaryPoints:
    """Points on the true boundaries of B objects.

    Attributes
    ----------
    points_xy : shape (B, K, 2), float32
        In cells of the mask's grid, continuous: cell i covers [i, i + 1).
    outward_xy : shape (B, K, 2), float32
        Unit vectors out of the object.
    """

    points_xy: Tensor
    outward_xy: Tensor

    @classmethod
    def stack(cls, several: Sequence[BoundaryPoints]) -> BoundaryPoints:
        """Join the objects of several."""
        return cls(
            torch.cat([s.points_xy for s in several]), torch.cat([s.outward_xy for s in several])
        )

    def to(self, device: torch.device) -> BoundaryPoints:
        """Return a copy on a device."""
        return BoundaryPoints(self.points_xy.to(device), self.outward_xy.to(device))


def boundary_points(shares: NDArray[np.floating], count: int = POINTS) -> BoundaryPoints:
    """Spread points evenly along the boundary of an object.

    Parameters
    ----------
    shares : shape (h, w), float in [0, 1]
        Share of each cell that is the object. Where no cell is half covered the boundary runs at
        half of the largest share.
    count : number of points

    Returns
    -------
    points : BoundaryPoints
        Of one object; of none, shape (0, count, 2), where nothing is covered. What ends at the
        picture's border has no boundary there.
    """
    from skimage import measure

    level = min(0.5, float(shares.max()) / 2)
    if level <= 0:
        return BoundaryPoints(torch.zeros(0, count, 2), torch.zeros(0, count, 2))
    framed = np.pad(np.asarray(shares, np.float64), 1, mode="edge")
    lines = [line for line in measure.find_contours(framed, level) if len(line) > 1]
    if not lines:
        return BoundaryPoints(torch.zeros(0, count, 2), torch.zeros(0, count, 2))
    starts = np.concatenate([line[:-1] for line in lines])
    steps = np.concatenate([np.diff(line, axis=0) for line in lines])
    travelled = np.cumsum(np.hypot(*steps.T))
    at = (np.arange(count) + 0.5) / count * travelled[-1]
    which = np.searchsorted(travelled, at)
    length = np.hypot(*steps[which].T)
    share = 1 - (travelled[which] - at) / length
    spots = starts[which] + share[:, None] * steps[which]
    outward = np.stack([-steps[which, 1], steps[which, 0]], 1) / length[:, None]
    sides = [
        ndimage.map_coordinates(framed, (spots + side * 0.5 * outward).T, order=1, mode="nearest")
        for side in (-1, 1)
    ]
    outward[sides[0] < sides[1]] *= -1
    # Contours run through the middles of cells, of which one lies before the frame's.
    points = np.stack([spots[:, ::-1] - 0.5, outward[:, ::-1]]).astype(np.float32)
    return BoundaryPoints(torch.from_numpy(points[:1]), torch.from_numpy(points[1:]))


def boundary_distance(
    logits: Tensor, truth: BoundaryPoints, *, reach: float = REACH, looks: int = LOOKS
) -> Tensor:
    """Return how far predicted boundaries are from the true ones.

    Parameters
    ----------
    logits : shape (B, 1, h, w), float
    truth : of the B objects
    reach : cells, to both sides
    looks : places that are read on each line

    Returns
    -------
    distance : shape (B,)
        Mean squared distance of matched points, as a share of `reach` squared. 1 where nothing is
        found on one side; 2, the most there is, where object and rest change places.

    Notes
    -----
    Let p(t) be the predicted probability at t cells outside the true boundary. A mask that ends at
    s has p = 1 before and 0 behind it, and its distance is ``s ** 2``: twice the integral of
    ``|t|`` times the difference of p from the true step. That integral is taken whatever p is.
    """
    height, width = logits.shape[-2:]
    offsets = torch.linspace(-reach, reach, looks, device=logits.device)
    lines = truth.points_xy[:, :, None] + offsets[:, None] * truth.outward_xy[:, :, None]
    size = lines.new_tensor((width, height))
    read = F.grid_sample(
        logits.float(), 2 * lines / size - 1, padding_mode="border", align_corners=False
    )
    p = read[:, 0].sigmoid()  # (B, K, looks)
    wrong = torch.where(offsets < 0, 1 - p, p)
    # Weights of the sum that stands for the integral, so that a line wrong on one side counts 1.
    weights = offsets.abs() / (offsets.abs().sum() / 2)
    return (wrong * weights).sum(2).mean(1)
