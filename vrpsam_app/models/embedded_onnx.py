"""The embedded model as three ONNX graphs: pictures, references, and the mask they lead to.

Pictures have one size, H x W, which is chosen when the graphs are written.

``encoder.onnx`` takes ``image`` (1, 3, H, W), RGB in [0, 1], and gives the five maps of
:mod:`vrpsam_app.models.conv_image_encoder`: ``embedding``, ``semantic``, ``classifier``,
``mid_detail`` and ``fine_detail``.

``reference.onnx`` takes ``semantic`` and ``classifier`` of a reference picture and

==========  ===============  ======================================================================
``marks``   (1, 3, H, W)     share of each pixel that is object, certain background, weak background
``is_box``  (1,)             1 where the object marks are a box, else 0
==========  ===============  ======================================================================

and gives seven arrays that say how object and background differ, ``gram`` to ``cells``, and what
the object looks like: ``tokens`` (1, N, C), ``prototype`` (1, C) and ``foreground`` (1, K, C).

``decoder.onnx`` takes the five maps of a target, the seven of its references - of several, their
sums - and ``tokens``, ``prototype`` and ``foreground`` of those that show the object, one below
the other, (S, ...). Of a reference that says "not this" only the seven count. It also takes
``points_xy``, ``point_labels``, ``mask_input`` and ``has_mask_input`` as
:mod:`vrpsam_app.models.sam_onnx` describes them, and gives ``mask_logits`` (1, 1, H / 2, W / 2),
``score`` (1,), ``presence`` (1,) and ``pseudo_mask`` (1, 1, H / 4, W / 4).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vrpsam_app.errors import ConfigError
from vrpsam_app.models.closed_form_prior import NormalEquations
from vrpsam_app.models.conv_image_encoder import SIZE_MULTIPLE
from vrpsam_app.models.embedded_vrp_sam import EmbeddedVRPSAM, ImageEmbedding, ReferenceEncoding
from vrpsam_app.models.embeddings import PromptTensors
from vrpsam_app.models.frozen_sam import FrozenSAM
from vrpsam_app.models.onnx_graphs import (
    embed_points,
    graph_folder,
    require_onnx,
    write_description,
    write_graph,
)

MAPS = ("embedding", "semantic", "classifier", "mid_detail", "fine_detail")
SHOWN = ("tokens", "prototype", "foreground")
EQUATIONS = NormalEquations._fields
ANSWERS = ("mask_logits", "score", "presence", "pseudo_mask")


@dataclass(frozen=True, slots=True)
class EmbeddedOnnxFiles:
    """The three graphs, and what they are of."""

    encoder: Path
    reference: Path
    decoder: Path
    description: Path


class EncoderGraph(nn.Module):
    """A picture to its maps."""

    def __init__(self, model: EmbeddedVRPSAM) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Encode a picture."""
        encoded = self.model.encode_images(image)
        return tuple(getattr(encoded, name) for name in MAPS)


class ReferenceGraph(nn.Module):
    """Marks on an encoded picture to what the decoder needs of a reference."""

    def __init__(self, model: EmbeddedVRPSAM) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, semantic: Tensor, classifier: Tensor, marks: Tensor, is_box: Tensor
    ) -> tuple[Tensor, ...]:
        """Encode a reference, of which two maps are looked at."""
        maps = ImageEmbedding(semantic, semantic, classifier, classifier, classifier)
        encoded = self.model.encode_reference(maps, marks, is_box > 0.5)
        return (*encoded.equations, *(getattr(encoded, name) for name in SHOWN))


class DecoderGraph(nn.Module):
    """An encoded target and encoded references to a mask.

    Parameters
    ----------
    model : EmbeddedVRPSAM
    shots : references that show the object
    """

    def __init__(self, model: EmbeddedVRPSAM, shots: int) -> None:
        super().__init__()
        # The same modules; only its SAM embeds prompts in a way that a graph can hold.
        self.model = copy.copy(model)
        self.model._modules = dict(model._modules)
        self.model.sam = _GraphSam(model.sam)  # type: ignore[assignment]
        self.shots = shots

    def forward(
        self,
        embedding: Tensor,
        semantic: Tensor,
        classifier: Tensor,
        mid_detail: Tensor,
        fine_detail: Tensor,
        gram: Tensor,
        target: Tensor,
        positive_mean: Tensor,
        background_mean: Tensor,
        has_positive: Tensor,
        has_background: Tensor,
        cells: Tensor,
        tokens: Tensor,
        prototype: Tensor,
        foreground: Tensor,
        points_xy: Tensor,
        point_labels: Tensor,
        mask_input: Tensor,
        has_mask_input: Tensor,
    ) -> tuple[Tensor, ...]:
        """Find the object."""
        sums = NormalEquations(
            gram, target, positive_mean, background_mean, has_positive, has_background, cells
        )
        nothing = NormalEquations(*(torch.zeros_like(value) for value in sums))
        references = [
            ReferenceEncoding(
                nothing if i else sums,
                tokens[i : i + 1],
                prototype[i : i + 1],
                foreground[i : i + 1],
                _Shown(),  # type: ignore[arg-type]
            )
            for i in range(self.shots)
        ]
        sam: Any = self.model.sam
        sam.given = mask_input, has_mask_input
        answer = self.model.decode(
            ImageEmbedding(embedding, semantic, classifier, mid_detail, fine_detail),
            references,
            PromptTensors(points_xy=points_xy, point_labels=point_labels),
        )
        return tuple(getattr(answer, name) for name in ANSWERS)


class _Shown:
    """Says that a reference shows the object, which no graph has to find out."""

    def any(self) -> bool:
        return True


class _GraphSam(nn.Module):
    """A SAM that embeds points and an earlier mask without branches that depend on values."""

    def __init__(self, sam: FrozenSAM) -> None:
        super().__init__()
        self.sam = sam
        self.given: tuple[Tensor, Tensor] | None = None

    def prompt(
        self,
        points_xy: Tensor,
        point_labels: Tensor,
        boxes_xyxy: None,
        mask_logits: Tensor,
        *,
        grid_hw: tuple[int, int],
    ) -> tuple[Tensor, Tensor]:
        """Embed prompts; `mask_logits` is what the references say, which a given mask replaces."""
        encoder: Any = self.sam.prompt_encoder
        h, w = grid_hw
        size = points_xy.new_tensor((w, h)) * self.sam.config.embedding_stride
        if self.given is not None:
            given, has = self.given
            share = has.reshape(-1, 1, 1, 1)
            mask_logits = share * given.clamp(-8, 8) + (1 - share) * mask_logits
        points = embed_points(encoder, points_xy / size, point_labels)
        return points, encoder.mask_downscaling(mask_logits)

    def decode_masks(self, *arguments: Any, **settings: Any) -> Any:
        """Decode as the SAM does."""
        return self.sam.decode_masks(*arguments, **settings)


def export_embedded(
    model: EmbeddedVRPSAM,
    folder: Path,
    *,
    name: str,
    sha256: str,
    input_hw: tuple[int, int] | None = None,
    shots: int = 1,
) -> EmbeddedOnnxFiles:
    """Write the three graphs and ``onnx.json``, which says what they are of.

    Parameters
    ----------
    model : EmbeddedVRPSAM
        On the CPU.
    folder : Path
        Made if it does not exist.
    name : str
        Of the weights, for the description.
    sha256 : hexadecimal
        Of their file.
    input_hw : (rows, columns), optional
        Size of all pictures, multiples of 32; None takes the square that the model was made for.
    shots : int
        References that show the object, which the decoder takes.

    Raises
    ------
    MissingExtraError
        If onnx is not installed.
    ConfigError
        If the size or the number of references makes no sense.
    OutputError
        If a file cannot be written.
    """
    require_onnx()
    side = model.config.sam.image_size
    hw = input_hw or (side, side)
    if shots < 1 or min(hw) < SIZE_MULTIPLE or any(n % SIZE_MULTIPLE for n in hw):
        raise ConfigError(
            f"Pictures of {hw[0]} x {hw[1]} and {shots} references: expected sides that are "
            f"multiples of {SIZE_MULTIPLE}, and at least one reference."
        )
    names = ("encoder.onnx", "reference.onnx", "decoder.onnx", "onnx.json")
    files = EmbeddedOnnxFiles(*(folder / name for name in names))
    model = model.eval()
    image, marks, is_box = torch.rand(1, 3, *hw), torch.zeros(1, 3, *hw), torch.zeros(1)
    marks[:, 0, : hw[0] // 2, : hw[1] // 2] = 1
    with torch.no_grad():
        maps = dict(zip(MAPS, EncoderGraph(model)(image), strict=True))
        marked = {n: maps[n] for n in ("semantic", "classifier")}
        marked |= {"marks": marks, "is_box": is_box}
        found = dict(
            zip((*EQUATIONS, *SHOWN), ReferenceGraph(model)(*marked.values()), strict=True)
        )
    shown = {n: found[n].expand(shots, *found[n].shape[1:]).clone() for n in SHOWN}
    prompts = {
        "points_xy": torch.zeros(1, 3, 2),
        "point_labels": torch.zeros(1, 3),
        "mask_input": torch.zeros(1, 1, hw[0] // 2, hw[1] // 2),
        "has_mask_input": torch.zeros(1),
    }
    asked = {**maps, **{n: found[n] for n in EQUATIONS}, **shown, **prompts}
    many = {"points_xy": "points", "point_labels": "points"}
    with graph_folder(folder):
        write_graph(EncoderGraph(model), {"image": image}, MAPS, files.encoder)
        write_graph(ReferenceGraph(model), marked, (*EQUATIONS, *SHOWN), files.reference)
        write_graph(DecoderGraph(model, shots), asked, ANSWERS, files.decoder, many=many)
        write_description(
            files.description,
            weights=name,
            sha256=sha256,
            input_hw=list(hw),
            shots=shots,
            presence_threshold=model.config.presence_threshold,
            shapes={n: list(value.shape) for n, value in {**marked, **asked}.items()},
        )
    return files
