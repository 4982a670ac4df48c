"""The frozen parts' weights: SAM's own files and ImageNet backbones, found, checked and loaded.

A model that stands on them keeps only what it learned. Its configuration gives name and SHA-256 of
the files; they are looked for beside the model, where they lay when it was trained, in a folder of
one's own, and, if the product knows them, on the Hub.
"""

from __future__ import annotations

import json
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hub_weights import (
    REGISTRY,
    DownloadCallback,
    NotOnThisComputerError,
    RepoName,
    check_file_name,
    entry_with,
    find_weights,
    foundation_folder,
)
from hub_weights.checksums import sha256_of
from vrpsam_app.config import FoundationFile, ModelConfig, SAMConfig
from vrpsam_app.errors import ChecksumMismatchError, WeightsError
from vrpsam_app.models.filling import fill
from vrpsam_app.models.official_keys import backbone_key
from vrpsam_app.models.sam_keys import to_segment_anything
from vrpsam_app.models.sam_shapes import sam_config_from
from vrpsam_app.weights_errors import weights_errors

PARTS = {"sam": "sam.", "backbone": "vrp_encoder.semantic_encoder."}
"""Frozen parts, and where their tensors stand in the model's state dict."""

PATHS_NAME = "foundation_paths.json"
"""Beside a model that was trained here: where the files lay. Of no use on another computer."""

_ENDINGS = (".safetensors", ".pth", ".pt", ".bin")
_IS_MISSING = f"does not exist: expected a file of weights ({', '.join(_ENDINGS)})"
# Files that hold more than weights keep them under one of these.
_WRAPPERS = ("state_dict", "model", "module", "model_state")


def weight_file(named: Path) -> Path:
    """Return a file of weights by whatever names it; it is downloaded if it has to be.

    Parameters
    ----------
    named : Path
        A file, a folder with one, a name of the registry such as ``sam_vit_b``, or a repository on
        the Hub; see :func:`hub_weights.find_weights`.

    Raises
    ------
    WeightsError
        If there is none, or more than one in the folder, or it cannot be downloaded.
    ChecksumMismatchError
        If it has other bytes than those known for it.
    """
    path = named.expanduser()
    if path.is_file():
        return path
    if not path.is_dir():
        return _known_file(named.as_posix())
    found = sorted(p for p in path.iterdir() if p.suffix in _ENDINGS)
    if len(found) != 1:
        names = ", ".join(p.name for p in found) or "none"
        raise WeightsError(
            f"{path} holds {len(found)} files of weights ({names}): expected one. Name the file."
        )
    return found[0]


def _known_file(name: str) -> Path:
    if name not in REGISTRY and RepoName.parse(name.partition(":")[0]) is None:
        raise WeightsError(
            f"{name} {_IS_MISSING}, a folder with one, organisation/name on the Hub, or one of "
            f"{', '.join(REGISTRY)}."
        )
    with weights_errors():
        return find_weights(name)[0]


def describe(file: Path) -> FoundationFile:
    """Return what a configuration says of a file; its bytes are read once."""
    return FoundationFile(file=file.name, sha256=sha256_of(file))


def find_files(
    config: ModelConfig,
    folder: Path,
    *,
    token: str | bool | None = None,
    local_files_only: bool = False,
    progress: DownloadCallback | None = None,
) -> dict[str, Path]:
    """Find the files that a configuration names and check their sums.

    Where the registry knows a file by its sum, any other file with the same weights will do, and
    is downloaded if none is here.

    Parameters
    ----------
    config : ModelConfig
    folder : Path
        Of the model.
    token, local_files_only, progress :
        As for :func:`hub_weights.find_weights`.

    Raises
    ------
    WeightsError
        If a file is in none of the places; the message names it and them.
    ChecksumMismatchError
        If only files of that name with other bytes are there.
    """
    noted = _noted_paths(folder)
    found = {}
    for part, wanted in config.foundation.items():
        with weights_errors():
            check_file_name(wanted.file, where=f"foundation.{part} of {config.name}")
        places = [folder / wanted.file, foundation_folder() / wanted.file]
        if part in noted:
            places.insert(1, noted[part])
        there = [p for p in places if p.is_file()]
        for path in there:
            if sha256_of(path) == wanted.sha256:
                found[part] = path
                break
        else:
            known = entry_with(wanted.sha256)
            if known is None:
                _refuse(config, part, wanted, places, there)
                continue
            try:
                with weights_errors():
                    found[part], _ = find_weights(
                        known.name,
                        token=token,
                        local_files_only=local_files_only,
                        progress=progress,
                    )
            except WeightsError as error:
                if isinstance(error.__cause__, NotOnThisComputerError):
                    _refuse(config, part, wanted, places, there)
                raise
    return found


def _refuse(
    config: ModelConfig,
    part: str,
    wanted: FoundationFile,
    places: list[Path],
    there: list[Path],
) -> None:
    if there:
        raise ChecksumMismatchError(
            f"{config.name} stands on {wanted.file} with SHA-256 {wanted.sha256[:12]}...: "
            f"{there[0]} is another file. Put the one that the model was trained with there."
        )
    what = "SAM" if part == "sam" else "the backbone"
    looked = ", ".join(str(p.parent) for p in places)
    raise WeightsError(
        f"{config.name} keeps only what it learned and needs the weights of {what}, "
        f"{wanted.file} (SHA-256 {wanted.sha256[:12]}...): not found in {looked}. Put the file "
        "into one of these folders, or set VRPSAM_FOUNDATION to the folder that holds it."
    )


def note_paths(folder: Path, files: Mapping[str, Path]) -> None:
    """Write where the files of a model lie on this computer."""
    path = folder / PATHS_NAME
    partial = path.with_suffix(".part")
    absolute = {part: str(file.resolve()) for part, file in files.items()}
    partial.write_text(json.dumps(absolute, indent=2) + "\n", encoding="utf-8")
    partial.replace(path)


def _noted_paths(folder: Path) -> dict[str, Path]:
    try:
        noted = json.loads((folder / PATHS_NAME).read_text(encoding="utf-8"))
        return {part: Path(noted[part]) for part in PARTS if part in noted}
    except (OSError, ValueError, TypeError):
        return {}  # the other places remain


def load_foundation(model: nn.Module, files: Mapping[str, Path]) -> None:
    """Fill the frozen parts of a :class:`~vrpsam_app.models.paper_vrp_sam.PaperVRPSAM`.

    Raises
    ------
    WeightsError
        If a file cannot be read as weights.
    WeightsMismatchError
        If its tensors are not those of the part.
    """
    parts: Any = model
    encoder = parts.config.vrp_encoder.semantic_encoder
    if "sam" in files:
        fill_part(parts.sam, read_sam(files["sam"]), files["sam"])
    if "backbone" in files:
        translated = {
            ours: value
            for key, value in read_weights(files["backbone"]).items()
            if (ours := backbone_key(encoder, key)) is not None
        }
        fill_part(parts.vrp_encoder.semantic_encoder, translated, files["backbone"])


def read_sam(file: Path) -> dict[str, Tensor]:
    """Read a SAM's file of weights under segment-anything's names, in fp32.

    Raises
    ------
    WeightsError, WeightsMismatchError
        If the file cannot be read, or contradicts itself.
    """
    return {key: value.float() for key, value in to_segment_anything(read_weights(file)).items()}


def sam_config_of(file: Path, weights: Mapping[str, Tensor] | None = None) -> SAMConfig:
    """Tell which SAM a file of weights belongs to by the shapes of its tensors.

    Parameters
    ----------
    file : Path
    weights : optional
        What :func:`read_sam` gave for it, so that it is not read again.

    Raises
    ------
    WeightsError, WeightsMismatchError
        If the file cannot be read, or is no SAM's.
    """
    heads = _decoder_heads(file.parent)
    return sam_config_from(read_sam(file) if weights is None else weights, file, heads)


def _decoder_heads(folder: Path) -> int | None:
    """Read from transformers' configuration what no shape tells, None where there is none."""
    try:
        content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        heads = content["mask_decoder_config"]["num_attention_heads"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return heads if isinstance(heads, int) and heads > 0 else None


def read_weights(file: Path) -> dict[str, Tensor]:
    """Read a file of tensors: safetensors, or a checkpoint of torch without code in it.

    Raises
    ------
    WeightsError
        If it cannot be read, or holds something else than tensors.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if file.suffix == ".safetensors":
            tensors: dict[str, Tensor] = load_file(file)
            return tensors
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickles that are then refused
            # Only tensors and plain containers are unpickled: a checkpoint cannot run code.
            content: Any = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{file} is damaged, or holds more than weights and was not read because such a file "
            "can run code. Fetch it again, or save its state dict alone."
        ) from error
    except FileNotFoundError as error:
        raise WeightsError(f"{file} {_IS_MISSING}.") from error
    except (SafetensorError, OSError, RuntimeError, EOFError, ValueError) as error:
        raise WeightsError(
            f"{file} cannot be read as weights ({error}). Fetch it again."
        ) from error
    while isinstance(content, Mapping) and (
        inner := next((content[w] for w in _WRAPPERS if isinstance(content.get(w), Mapping)), None)
    ):
        content = inner
    weights = (
        {str(k).removeprefix("module."): v for k, v in content.items() if isinstance(v, Tensor)}
        if isinstance(content, Mapping)
        else {}
    )
    if not weights:
        raise WeightsError(f"{file} holds no weights by name: expected a state dict.")
    return weights


def fill_part(part: nn.Module, weights: dict[str, Tensor], file: Path) -> None:
    """Load strictly; old files lack the batch norms' counters, which nothing reads."""
    own = part.state_dict()
    counters = {k: v for k, v in own.items() if k.endswith("num_batches_tracked")}
    fill(part, {**counters, **weights}, str(file))
