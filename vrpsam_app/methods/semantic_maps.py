"""Features that say what things are, on a grid of a picture: of a SAM, a backbone, or a model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vrpsam_app.config import SemanticEncoderName
from vrpsam_app.devices import choose_device
from vrpsam_app.embeddings.store import EmbeddingStore
from vrpsam_app.environment import code_version, machine_name
from vrpsam_app.geometry import fit_within, resize_bilinear, resize_mask_area
from vrpsam_app.images import plane_key
from vrpsam_app.methods.sam_pictures import SAMPictures
from vrpsam_app.models import resize
from vrpsam_app.models.embeddings import TensorRecord
from vrpsam_app.models.load_backbone import load_backbone
from vrpsam_app.models.paper_vrp_sam import DEVIATION, MEAN, PaperEmbedding
from vrpsam_app.models.semantic_encoder import SemanticEncoder

if TYPE_CHECKING:
    from vrpsam_app.predictor import VRPSAMPredictor

BACKBONE_SIDE = 560
"""Longer side of pictures as a backbone sees them: forty patches of DINOv2."""

_FINER = 8  # steps in a cell when a map is cut where the picture ends

_ENCODING_CODE = ("config.py", "geometry.py", "images.py", "methods/semantic_maps.py", "models")


@dataclass(frozen=True, eq=False)
class SemanticMap:
    """Features of one picture.

    Attributes
    ----------
    features : shape (1, C, h, w), float32
    extent : (rows, columns) of cells that the picture spans, fractions of a cell too
        Smaller than (h, w) where the last cells reach beyond the picture.
    original_hw : of the picture
    """

    features: Tensor
    extent: tuple[float, float]
    original_hw: tuple[int, int]

    @property
    def cells_hw(self) -> tuple[int, int]:
        """Rows and columns of the grid."""
        return self.features.shape[-2], self.features.shape[-1]

    @property
    def _is_filled(self) -> bool:
        return all(n == cells for n, cells in zip(self.extent, self.cells_hw, strict=True))

    @property
    def rows(self) -> Tensor:
        """Features of all cells in reading order, (h * w, C)."""
        return self.features[0].flatten(1).T

    def coverage(self, mask: NDArray[np.bool_]) -> Tensor:
        """Bring a mask of the picture to the grid: the share of each cell that is covered, (h, w).

        Exact where the picture fills the grid; else to an eighth of a cell.
        """
        h, w = self.cells_hw
        if self._is_filled:
            return torch.from_numpy(resize_mask_area(mask, (h, w))).to(self.features.device)
        rows, cols = (max(1, round(_FINER * n)) for n in self.extent)
        fine = np.zeros((_FINER * h, _FINER * w), np.float32)
        fine[:rows, :cols] = resize_mask_area(mask, (rows, cols))
        shares = fine.reshape(h, _FINER, w, _FINER).mean((1, 3))
        return torch.from_numpy(shares).to(self.features.device)

    def to_picture(self, maps: Tensor, hw: tuple[int, int]) -> Tensor:
        """Bring maps of the grid to the picture at another size, (B, M, h, w) to (B, M, *hw)."""
        h, w = self.cells_hw
        if not self._is_filled:
            finer = (_FINER * h, _FINER * w)
            maps = resize.resize_bilinear(maps, finer, align_corners=False)
            rows, cols = (max(1, round(_FINER * n)) for n in self.extent)
            maps = maps[..., :rows, :cols]
        return resize.resize_bilinear(maps, hw, align_corners=False)

    def cell_xy(self, row: int, col: int) -> NDArray[np.float32]:
        """Return the middle of a cell in pixels of the picture, (x, y), never outside of it."""
        (height, width), (rows, cols) = self.original_hw, self.extent
        x, y = (col + 0.5) / cols * width, (row + 0.5) / rows * height
        return np.array([min(x, width - 0.5), min(y, height - 0.5)], np.float32)


class SemanticMaps(ABC):
    """Pictures in, features out, each computed once.

    Attributes
    ----------
    name : what gives the features
    sha256 : of its weights
    origin : what features depend on besides the picture
    device : torch.device
    store : EmbeddingStore
    """

    name: str
    sha256: str
    origin: str
    device: torch.device
    store: EmbeddingStore

    @abstractmethod
    def encode(self, rgb: NDArray[np.uint8]) -> SemanticMap:
        """Compute the features of a picture (H, W, 3), or find them."""


class SAMMaps(SemanticMaps):
    """A SAM's own embedding: it knows where things end better than what they are.

    Parameters
    ----------
    pictures : SAMPictures
    """

    def __init__(self, pictures: SAMPictures) -> None:
        self._pictures = pictures
        self.name = f"sam-{pictures.config.name}"
        self.sha256, self.origin = pictures.sha256, pictures.origin
        self.device, self.store = pictures.device, pictures.store

    def encode(self, rgb: NDArray[np.uint8]) -> SemanticMap:
        """Cut the embedding to the picture."""
        picture = self._pictures.encode(rgb)
        grid = picture.grid
        extent = grid.input_hw[0] / grid.stride, grid.input_hw[1] / grid.stride
        return SemanticMap(picture.cells, extent, grid.original_hw)


@dataclass(frozen=True, eq=False)
class BackboneFeatures(TensorRecord):
    """High features of a backbone, shape (1, C, h, w)."""

    high: Tensor


class BackboneMaps(SemanticMaps):
    """High features of a backbone, such as DINOv2.

    Parameters
    ----------
    encoder : SemanticEncoder
    name : which one it is
    device : torch.device
    sha256 : of the weights; without one nothing is kept on disk
    store : EmbeddingStore, optional
    """

    def __init__(
        self,
        encoder: SemanticEncoder,
        name: SemanticEncoderName,
        *,
        device: torch.device,
        sha256: str = "",
        store: EmbeddingStore | None = None,
    ) -> None:
        self._encoder = encoder.to(device).eval()
        self.name, self.sha256, self.device = name, sha256, device
        self.store = EmbeddingStore() if store is None else store
        self.origin = (
            f"backbone={name}-{sha256}/code={code_version(_ENCODING_CODE)}"
            f"/torch={torch.__version__}/device={device.type} {machine_name()}"
        )

    @classmethod
    def from_file(
        cls, path: str | Path, *, device: str = "auto", store: EmbeddingStore | None = None
    ) -> BackboneMaps:
        """Load a backbone; see :func:`~vrpsam_app.models.load_backbone.load_backbone`."""
        chosen = choose_device(device)
        encoder, name, sha256 = load_backbone(path)
        return cls(encoder, name, device=chosen, sha256=sha256, store=store)

    def encode(self, rgb: NDArray[np.uint8]) -> SemanticMap:
        """Show the picture to the backbone at its own proportions."""

        def compute() -> BackboneFeatures:
            small = resize_bilinear(rgb, fit_within((rgb.shape[0], rgb.shape[1]), BACKBONE_SIDE))
            images = torch.from_numpy(np.ascontiguousarray(small)).permute(2, 0, 1)[None] / 255
            mean, deviation = (torch.tensor(v)[:, None, None] for v in (MEAN, DEVIATION))
            with torch.inference_mode():
                images = ((images - mean) / deviation).to(self.device)
                _, state = self._encoder.middle_features(images)
                return BackboneFeatures(self._encoder.high_features(state)).stored()

        key = f"{self.origin}/image={plane_key(rgb)}"
        record = BackboneFeatures if self.sha256 else None
        found = self.store.get_or_compute(key, compute, record=record)
        return _filling(found.to(self.device, torch.float32).high, rgb)


class ModelMaps(SemanticMaps):
    """Semantic features of a model, which it computes anyway.

    Parameters
    ----------
    predictor : VRPSAMPredictor
    """

    def __init__(self, predictor: VRPSAMPredictor) -> None:
        self._predictor = predictor
        said = predictor.describe()
        self.name, self.sha256 = str(said["model"]), str(said["sha256"])
        self.device, self.store = torch.device(predictor.device), predictor.store
        self.origin = predictor.origin

    def encode(self, rgb: NDArray[np.uint8]) -> SemanticMap:
        """Take the features out of the model's embedding."""
        embedding: Any = self._predictor.embed(rgb)
        maps = embedding.high if isinstance(embedding, PaperEmbedding) else embedding.semantic
        return _filling(maps.to(self.device, torch.float32), rgb)


def _filling(features: Tensor, rgb: NDArray[np.uint8]) -> SemanticMap:
    """Return features whose grid the picture fills."""
    extent = float(features.shape[-2]), float(features.shape[-1])
    return SemanticMap(features, extent, (rgb.shape[0], rgb.shape[1]))
