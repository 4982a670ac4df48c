"""The embedded model as four ONNX graphs: pictures, references, classes, and masks.

Pictures have one size, H x W, which is chosen when the graphs are written.

``encoder.onnx`` takes ``image`` (1, 3, H, W), RGB in [0, 1], and gives the seven maps of
:mod:`vrpsam_app.models.conv_image_encoder`, ``embedding`` to ``dense``.

``reference.onnx`` takes the seven maps of a reference picture and

==========  ===============  ======================================================================
``marks``   (1, 3, H, W)     share of each pixel that is object, certain background, weak background
``is_box``  (1,)             1 where the object marks are a box, else 0
==========  ===============  ======================================================================

and gives seven arrays that say how object and background differ, ``gram`` to ``cells``, seven that
say so of dense features, ``dense_gram`` to ``dense_cells``, three that say what the object looks
like, ``tokens`` (1, N, C), ``prototype`` (1, C) and ``foreground`` (1, K, C), and six for a class
that is marked throughout: ``exhaustive`` (1,), ``own`` (1, levels, facts), which says how the model
would cut this very picture, and samples, ``features`` and ``shares``, ``texture_features`` and
``texture_shares``.

``class.onnx`` takes these six of all references of a class that show the object, one below the
other, (S, ...), and gives the fourteen arrays of the two curved fits, ``curved_mean`` to
``curved_quality`` and ``curved_texture_mean`` to ``curved_texture_quality``, with
``marked_throughout`` and ``own_levels``.

``decoder.onnx`` takes the seven maps of a target, the fourteen arrays of its references - of
several, their sums -, ``tokens`` to ``foreground`` of those that show the object, one below the
other, (S, ...), and the sixteen of its class. Of a reference that says "not this" only the sums
count. It also takes ``points_xy``, ``point_labels``, ``mask_input`` and ``has_mask_input`` as
:mod:`vrpsam_app.models.sam_onnx` describes them, and gives ``mask_logits`` (1, 1, H / 2, W / 2),
``score`` (1,), ``presence`` (1,) and ``pseudo_mask`` (1, 1, H / 4, W / 4).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vrpsam_app.errors import ConfigError
from vrpsam_app.models.closed_form_prior import NormalEquations
from vrpsam_app.models.conv_image_encoder import SIZE_MULTIPLE
from vrpsam_app.models.curved_prior import CurvedFit, Samples
from vrpsam_app.models.embedded_records import CurvedFits, ImageEmbedding, ReferenceEncoding
from vrpsam_app.models.embedded_vrp_sam import EmbeddedVRPSAM
from vrpsam_app.models.embeddings import PromptTensors
from vrpsam_app.models.frozen_sam import FrozenSAM
from vrpsam_app.models.onnx_graphs import (
    embed_points,
    graph_folder,
    require_onnx,
    write_description,
    write_graph,
)

MAPS = tuple(field.name for field in fields(ImageEmbedding))
SHOWN = ("tokens", "prototype", "foreground")
EQUATIONS = (*NormalEquations._fields, *(f"dense_{name}" for name in NormalEquations._fields))
SAMPLES = ("exhaustive", "own", "features", "shares", "texture_features", "texture_shares")
FITS = (
    *(f"{p}_{name}" for p in ("curved", "curved_texture") for name in CurvedFit._fields),
    "marked_throughout",
    "own_levels",
)
PROMPTS = ("points_xy", "point_labels", "mask_input", "has_mask_input")
ANSWERS = ("mask_logits", "score", "presence", "pseudo_mask")


@dataclass(frozen=True, slots=True)
class EmbeddedOnnxFiles:
    """The four graphs, and what they are of."""

    encoder: Path
    reference: Path
    together: Path
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
        self.model = _with_graph_sam(model)

    def forward(self, *arrays: Tensor) -> tuple[Tensor, ...]:
        """Encode a reference from its maps, its marks and whether they are a box."""
        *maps, marks, is_box = arrays
        encoded = self.model.encode_reference(ImageEmbedding(*maps), marks, is_box > 0.5)
        samples = (encoded.exhaustive, encoded.own, *encoded.samples, *encoded.texture_samples)
        equations = (*encoded.equations, *encoded.dense_equations)
        return (*equations, *(getattr(encoded, name) for name in SHOWN), *samples)


class ClassGraph(nn.Module):
    """Samples of references to the curved fits of a class."""

    def __init__(self, model: EmbeddedVRPSAM, shots: int) -> None:
        super().__init__()
        self.model = model
        self.shots = shots

    def forward(self, *arrays: Tensor) -> tuple[Tensor, ...]:
        """Fit from arrays of ``SAMPLES``."""
        exhaustive, own, *samples = arrays
        each = [[values[i : i + 1] for values in samples] for i in range(self.shots)]
        fits = self.model.fit_samples(
            [Samples(*s[:2]) for s in each],
            [Samples(*s[2:]) for s in each],
            exhaustive[:, None],
            own[:, None],
        )
        return (*fits.learned, *fits.fixed, fits.exhaustive, fits.own)


class DecoderGraph(nn.Module):
    """An encoded target and encoded references to a mask.

    Parameters
    ----------
    model : EmbeddedVRPSAM
    shots : references that show the object
    """

    def __init__(self, model: EmbeddedVRPSAM, shots: int) -> None:
        super().__init__()
        self.model = _with_graph_sam(model)
        self.shots = shots

    def forward(self, *arrays: Tensor) -> tuple[Tensor, ...]:
        """Find the object: arrays of ``MAPS``, ``EQUATIONS``, ``SHOWN``, ``FITS``, ``PROMPTS``."""
        given = dict(zip((*MAPS, *EQUATIONS, *SHOWN, *FITS, *PROMPTS), arrays, strict=True))
        sums = _equations([given[name] for name in EQUATIONS])
        nothing = _equations([torch.zeros_like(given[name]) for name in EQUATIONS])
        half = len(CurvedFit._fields)
        references = [
            ReferenceEncoding(
                (nothing if i else sums)[0],
                (nothing if i else sums)[1],
                tokens=given["tokens"][i : i + 1],
                prototype=given["prototype"][i : i + 1],
                foreground=given["foreground"][i : i + 1],
                has_object=_Shown(),  # type: ignore[arg-type]
                exhaustive=None,  # type: ignore[arg-type]
                samples=None,  # type: ignore[arg-type]
                texture_samples=None,  # type: ignore[arg-type]
                own=None,  # type: ignore[arg-type]
            )
            for i in range(self.shots)
        ]
        sam: Any = self.model.sam
        sam.given = given["mask_input"], given["has_mask_input"]
        answer = self.model.decode(
            ImageEmbedding(*(given[name] for name in MAPS)),
            references,
            PromptTensors(points_xy=given["points_xy"], point_labels=given["point_labels"]),
            together=CurvedFits(
                CurvedFit(*(given[name] for name in FITS[:half])),
                CurvedFit(*(given[name] for name in FITS[half : 2 * half])),
                given["marked_throughout"],
                given["own_levels"],
            ),
        )
        return tuple(getattr(answer, name) for name in ANSWERS)


def _with_graph_sam(model: EmbeddedVRPSAM) -> EmbeddedVRPSAM:
    """Return the same modules; only its SAM embeds prompts in a way that a graph can hold."""
    changed = copy.copy(model)
    changed._modules = dict(model._modules)
    changed.sam = _GraphSam(model.sam)  # type: ignore[assignment]
    return changed


def _equations(arrays: list[Tensor]) -> tuple[NormalEquations, NormalEquations]:
    """Return those of the first fit and of the one on dense features."""
    first = len(NormalEquations._fields)
    return NormalEquations(*arrays[:first]), NormalEquations(*arrays[first:])


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
        points_xy: Tensor | None,
        point_labels: Tensor | None,
        boxes_xyxy: None,
        mask_logits: Tensor,
        *,
        grid_hw: tuple[int, int],
    ) -> tuple[Tensor, Tensor]:
        """Embed prompts; `mask_logits` is what the references say, which a given mask replaces."""
        if points_xy is None or point_labels is None:
            return self.sam.prompt(mask_logits=mask_logits, grid_hw=grid_hw)
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
    """Write the four graphs and ``onnx.json``, which says what they are of.

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
    names = ("encoder.onnx", "reference.onnx", "class.onnx", "decoder.onnx", "onnx.json")
    files = EmbeddedOnnxFiles(*(folder / name for name in names))
    model = model.eval()
    image, marks, is_box = torch.rand(1, 3, *hw), torch.zeros(1, 3, *hw), torch.zeros(1)
    marks[:, 0, : hw[0] // 2, : hw[1] // 2] = 1
    with torch.no_grad():
        maps = dict(zip(MAPS, EncoderGraph(model)(image), strict=True))
        marked = {**maps, "marks": marks, "is_box": is_box}
        answers = (*EQUATIONS, *SHOWN, *SAMPLES)
        found = dict(zip(answers, ReferenceGraph(model)(*marked.values()), strict=True))
        several = {
            n: found[n].expand(shots, *found[n].shape[1:]).clone() for n in (*SHOWN, *SAMPLES)
        }
        shown = {n: several[n] for n in SHOWN}
        of_class = {n: several[n] for n in SAMPLES}
        fits = dict(zip(FITS, ClassGraph(model, shots)(*of_class.values()), strict=True))
    prompts = {
        "points_xy": torch.zeros(1, 3, 2),
        "point_labels": torch.zeros(1, 3),
        "mask_input": torch.zeros(1, 1, hw[0] // 2, hw[1] // 2),
        "has_mask_input": torch.zeros(1),
    }
    asked = {**maps, **{n: found[n] for n in EQUATIONS}, **shown, **fits, **prompts}
    many = {"points_xy": "points", "point_labels": "points"}
    with graph_folder(folder):
        write_graph(EncoderGraph(model), {"image": image}, MAPS, files.encoder)
        write_graph(ReferenceGraph(model), marked, answers, files.reference)
        write_graph(ClassGraph(model, shots), of_class, FITS, files.together)
        write_graph(DecoderGraph(model, shots), asked, ANSWERS, files.decoder, many=many)
        write_description(
            files.description,
            weights=name,
            sha256=sha256,
            input_hw=list(hw),
            shots=shots,
            presence_threshold=model.config.presence_threshold,
            shapes={n: list(value.shape) for n, value in {**marked, **of_class, **asked}.items()},
        )
    return files
