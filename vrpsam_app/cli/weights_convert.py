"""``vrpsam weights convert`` and ``onnx``: weights for other programs, and from them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from vrpsam_app.errors import ConfigError

if TYPE_CHECKING:
    from vrpsam_app.weights_conversion import SamLayout


_CHECKPOINT, _SAM = "a checkpoint of the published VRP-SAM code", "a SAM"
_OPTIONS_FOR = {_CHECKPOINT: ("sam", "marks", "license"), _SAM: ("to",)}


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the two verbs."""
    parser = verbs.add_parser(
        "convert",
        help="published VRP-SAM checkpoints, SAMs and pickles -> safetensors",
        description="What the file is, it says itself. A checkpoint of the published VRP-SAM code "
        "becomes a model folder that --model takes. A SAM becomes safetensors under "
        "segment-anything's names, or a folder for transformers. Any other state dict keeps its "
        "names. Files that hold more than weights are refused, and nothing in them is run.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="what is converted")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder, or file.safetensors")
    parser.add_argument(
        "--to",
        choices=("segment-anything", "transformers"),
        help="layout of a SAM (default: segment-anything)",
    )
    parser.add_argument(
        "--sam",
        metavar="NAME",
        help="SAM that a checkpoint was trained on: a name of the list, or a file (default: "
        "sam_vit_h, the published one)",
    )
    parser.add_argument(
        "--marks",
        choices=("point", "scribble", "box", "mask"),
        help="how references were marked when a checkpoint was trained",
    )
    parser.add_argument(
        "--license", "--licence", metavar="SPDX", help="of a checkpoint, such as mit"
    )
    parser.set_defaults(run=run_convert)

    graphs = verbs.add_parser(
        "onnx",
        help="a SAM, or the embedded model -> encoder.onnx, decoder.onnx",
        description="Write a SAM's image encoder, and its prompt encoder with the mask decoder, as "
        "ONNX graphs; the decoder also takes VRP-SAM's visual prompts. Of the embedded model, or "
        "one that was taught your images, what it makes of a reference becomes a third graph.",
    )
    graphs.add_argument(
        "name",
        metavar="NAME",
        help="a SAM of the list, its file, a model that stands on one, or embedded",
    )
    graphs.add_argument("out", type=Path, metavar="FOLDER", help="they go there")
    graphs.add_argument(
        "--size",
        type=_size,
        metavar="ROWS,COLS",
        help="of all pictures, for the embedded model: multiples of 32 (default: 512,512)",
    )
    graphs.add_argument(
        "--shots",
        type=int,
        default=1,
        metavar="N",
        help="references that show the object, for the embedded model (default: %(default)s)",
    )
    graphs.set_defaults(run=run_onnx)


def run_convert(options: argparse.Namespace) -> int:
    """Look what the file is, convert it, and say where it went."""
    from vrpsam_app import weights_conversion
    from vrpsam_app.models.foundation import read_weights
    from vrpsam_app.models.sam_keys import is_sam

    weights = read_weights(options.file)
    published = weights_conversion.is_published_checkpoint(weights)
    kind = _CHECKPOINT if published else _SAM if is_sam(weights) else "a state dict"
    facts = _facts(options, kind)
    if kind == _CHECKPOINT:
        made = weights_conversion.convert_checkpoint(
            options.file, options.out, weights=weights, **facts
        )
    elif kind == _SAM:
        layout: SamLayout = (
            "transformers" if facts.get("to") == "transformers" else "segment_anything"
        )
        made = weights_conversion.convert_sam(
            options.file, options.out, layout=layout, weights=weights
        )
    else:
        made = weights_conversion.convert_pickle(options.file, options.out, weights=weights)
    print(f"{options.file} is {kind} of {len(weights)} tensors -> {made}")
    return 0


def _facts(options: argparse.Namespace, kind: str) -> dict[str, str]:
    """Return the options for a kind of file that were given, and refuse those for another."""
    facts: dict[str, str] = {}
    for meant, names in _OPTIONS_FOR.items():
        given = {name: value for name in names if (value := getattr(options, name)) is not None}
        if meant == kind:
            facts = given
        elif given:
            raise ConfigError(
                f"{options.file} is {kind}: expected {', '.join(f'--{name}' for name in given)} "
                f"only with {meant}. Leave that out."
            )
    return facts


def run_onnx(options: argparse.Namespace) -> int:
    """Write the graphs and say how large they are."""
    from hub_weights import in_bytes
    from vrpsam_app.models.onnx_graphs import require_onnx

    require_onnx()  # before a large file is read
    folder = _model_folder(options.name)
    if folder is not None and _is_embedded(folder):
        written = _write_embedded(folder, options)
    else:
        written = _write_sam(folder or options.name, options)
    for path in written:
        print(f"{path}: {in_bytes(path.stat().st_size)}")
    return 0


def _model_folder(name: str) -> Path | None:
    """Return the folder of a model, None for a SAM."""
    import hub_weights
    from hub_weights.model_folder import is_model_folder
    from vrpsam_app.weights_errors import weights_errors

    known = name == "embedded" or name in hub_weights.own_models()
    if not known and not is_model_folder(Path(name).expanduser()):
        return None
    with weights_errors():
        return hub_weights.find_model(name).path


def _is_embedded(folder: Path) -> bool:
    """Tell a model of the embedded kind from one that stands on a SAM."""
    from vrpsam_app.config import ModelConfig

    return ModelConfig.load(folder).sam.image_encoder == "conv"


def _write_sam(name: str | Path, options: argparse.Namespace) -> tuple[Path, ...]:
    from vrpsam_app.models.load_sam import load_sam
    from vrpsam_app.models.sam_onnx import export_sam

    if options.size is not None or options.shots != 1:
        raise ConfigError(
            "--size and --shots are for the embedded model: a SAM sees pictures of one size. Leave "
            "them out."
        )
    sam, sha256 = load_sam(name)
    files = export_sam(sam, options.out, name=options.name, sha256=sha256)
    return files.encoder, files.decoder


def _write_embedded(folder: Path, options: argparse.Namespace) -> tuple[Path, ...]:
    from vrpsam_app.models.embedded_onnx import export_embedded
    from vrpsam_app.models.embedded_vrp_sam import EmbeddedVRPSAM
    from vrpsam_app.models.load import load_model

    model, found = load_model(folder)
    if not isinstance(model, EmbeddedVRPSAM):
        raise TypeError("a model with the embedded image encoder is of another kind")
    files = export_embedded(
        model,
        options.out,
        name=options.name,
        sha256=found.sha256,
        input_hw=options.size,
        shots=options.shots,
    )
    return files.encoder, files.reference, files.together, files.decoder


def _size(text: str) -> tuple[int, int]:
    parts = text.split(",")
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r}: expected rows and columns such as 384,512")
    return int(parts[0]), int(parts[1])
