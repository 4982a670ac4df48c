"""The axes of a result in the world: between pixels of a layer and what the viewer shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class LayerFrame:
    """Where the pixels of an image layer lie in the world, at one of its resolutions.

    napari has pixel centres at whole numbers, in data and in the world.

    Attributes
    ----------
    shape : of the result, one length for each of the layer's axes that it keeps
    kept : the layer's axes that it keeps; channels are left out if they come first
    to_world : shape (D + 1, D + 1)
        Of all axes of the layer at this resolution, homogeneous.
    factors : pixels of the finest resolution that a pixel covers, for each axis of the layer
    spread : kept axis whose only pixel covers all channels, and their number; None mostly
    arguments : of the image layer, which the result has as well
    """

    shape: tuple[int, ...]
    kept: tuple[int, ...]
    to_world: NDArray[np.float64]
    factors: tuple[float, ...]
    spread: tuple[int, int] | None
    arguments: dict[str, Any]

    @classmethod
    def of(
        cls,
        layer: Any,
        shape: tuple[int, ...],
        factors: tuple[float, ...],
        channel_axis: int | None = None,
    ) -> LayerFrame:
        """Read the frame of a layer.

        Parameters
        ----------
        shape : of its data at the chosen resolution, without colours
        factors : of that resolution
        channel_axis : axis that holds channels
        """
        ndim = layer.ndim
        matrix = matrix_of(layer)
        linear, origin = matrix[:ndim, :ndim], matrix[:ndim, ndim]
        factor = np.asarray(factors)
        to_world = np.eye(ndim + 1)
        to_world[:ndim, :ndim] = linear * factor
        to_world[:ndim, ndim] = origin + linear @ ((factor - 1) / 2)
        kept = tuple(range(ndim))
        sizes, spread = list(shape), None
        if channel_axis == 0:
            kept, sizes = kept[1:], sizes[1:]
        elif channel_axis is not None:
            spread, sizes[channel_axis] = (channel_axis, sizes[channel_axis]), 1
        arguments: dict[str, Any] = {
            "units": tuple(str(layer.units[i]) for i in kept),
            "axis_labels": tuple(layer.axis_labels[i] for i in kept),
        }
        if len(kept) == ndim:
            # As the image has them; where the first pixel lies is said by `translate` alone.
            arguments |= {"rotate": layer.rotate, "shear": layer.shear, "affine": layer.affine}
            arguments["scale"] = np.asarray(layer.scale) * factor
        return cls(tuple(sizes), kept, to_world, tuple(factors), spread, arguments)

    def to_data(self, world: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return pixel positions of points in the world, for the kept axes.

        Parameters
        ----------
        world : shape (N, D)
            Right-aligned with the layer's axes: of more the last ones count.

        Returns
        -------
        data : shape (N, kept axes)
            0 is the centre of the first pixel.
        """
        ndim = len(self.to_world) - 1
        given = np.asarray(world, float)
        if given.shape[1] < ndim:  # marks without the leading axes: those at the origin
            missing = np.broadcast_to(
                self.to_world[: ndim - given.shape[1], ndim], (len(given), ndim - given.shape[1])
            )
            given = np.concatenate([missing, given], axis=1)
        inverse = np.linalg.inv(self.to_world)
        data = given[:, -ndim:] @ inverse[:ndim, :ndim].T + inverse[:ndim, ndim]
        return np.asarray(data[:, list(self.kept)])

    def matrix(self, start: Sequence[int] | None = None) -> NDArray[np.float64]:
        """Return where pixels of a layer over the image lie in the world, homogeneous.

        Parameters
        ----------
        start : first pixel of the part that the layer has, along each kept axis; None for all
        """
        matrix = self.to_world.copy()
        ndim = len(matrix) - 1
        if self.spread is not None:
            axis, count = self.spread
            matrix[:ndim, ndim] += matrix[:ndim, axis] * (count - 1) / 2
            matrix[:ndim, axis] *= count
        if start is not None:
            offset = np.zeros(ndim)
            offset[list(self.kept)] = start
            matrix[:ndim, ndim] += matrix[:ndim, :ndim] @ offset
        chosen = [*self.kept, ndim]
        return matrix[np.ix_(chosen, chosen)]

    def layer_arguments(self, start: Sequence[int] | None = None) -> dict[str, Any]:
        """Return the arguments of a layer over the image, or over the part that begins at `start`.

        Parameters
        ----------
        start : first pixel of the part along each kept axis; None for all of it
        """
        matrix = self.matrix(start)
        if "affine" not in self.arguments:
            return {**_placed(matrix), **self.arguments}
        scale = np.array(self.arguments["scale"])
        if self.spread is not None:
            scale[self.spread[0]] *= self.spread[1]
        before_affine = self.arguments["affine"].inverse(matrix[:-1, -1])
        translate = np.asarray(before_affine, float)
        return {**self.arguments, "scale": scale, "translate": translate}


def matrix_of(layer: Any) -> NDArray[np.float64]:
    """Return the matrix that brings pixels of a layer into the world, homogeneous."""
    ndim = layer.ndim
    matrix = np.eye(ndim + 1)
    origin = np.asarray(layer.data_to_world(np.zeros(ndim)), float)[-ndim:]
    for axis in range(ndim):
        end = np.asarray(layer.data_to_world(np.eye(ndim)[axis]), float)[-ndim:]
        matrix[:ndim, axis] = end - origin
    matrix[:ndim, ndim] = origin
    return matrix


def _placed(matrix: NDArray[np.float64]) -> dict[str, Any]:
    """Return scale and translate where these say all, else scale and an affine besides.

    The scale is kept apart, because pixel sizes are read from it.
    """
    ndim = len(matrix) - 1
    linear = matrix[:ndim, :ndim]
    if np.allclose(linear, np.diag(np.diag(linear)), rtol=0, atol=1e-12) and np.all(
        np.diag(linear) > 0
    ):
        return {"scale": tuple(np.diag(linear)), "translate": tuple(matrix[:ndim, ndim])}
    scale = np.linalg.norm(linear, axis=0)
    affine = matrix.copy()
    affine[:ndim, :ndim] = linear / scale
    return {"scale": tuple(scale), "affine": affine}
