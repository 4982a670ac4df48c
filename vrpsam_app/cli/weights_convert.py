"""``vrpsam weights convert`` and ``onnx``: weights for other programs, and from them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vrpsam_app.weights_conversion import SamLayout


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
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder, or file.safetensors")
    parser.add_argument(
        "--to",
        choices=("segment-anything", "transformers"),
        help="layout of a SAM (default: segment-anything)",
    )
    parser.add_argument(
        "--sam",
        default="sam_vit_h",
        metavar="NAME",
        help="SAM that a checkpoint was trained on: a name of the list, or a file (default: "
        "%(default)s, the published one)",
    )
    parser.add_argument(
        "--marks",
        choices=("point", "scribble", "box", "mask"),
        default="unknown",
        help="how references were marked when a checkpoint was trained",
    )
    parser.add_argument(
        "--license", default="unknown", metavar="SPDX", help="of a checkpoint, such as mit"
    )
    parser.set_defaults(run=run_convert)

    graphs = verbs.add_parser(
        "onnx",
        help="a SAM -> encoder.onnx and decoder.onnx",
        description="Write a SAM's image encoder, and its prompt encoder with the mask decoder, as "
        "ONNX graphs. The decoder also takes VRP-SAM's visual prompts.",
    )
    graphs.add_argument(
        "name", metavar="NAME", help="a SAM of the list, its file, or a model that stands on one"
    )
    graphs.add_argument("out", type=Path, metavar="FOLDER")
    graphs.set_defaults(run=run_onnx)


def run_convert(options: argparse.Namespace) -> int:
    """Look what the file is, convert it, and say where it went."""
    from vrpsam_app import weights_conversion
    from vrpsam_app.models.foundation import read_weights
    from vrpsam_app.models.sam_keys import is_sam

    weights = read_weights(options.file)
    if weights_conversion.is_published_checkpoint(weights):
        kind = "a checkpoint of the published VRP-SAM code"
        made = weights_conversion.convert_checkpoint(
            options.file,
            options.out,
            sam=options.sam,
            marks=options.marks,
            license=options.license,
            weights=weights,
        )
    elif is_sam(weights):
        kind = "a SAM"
        layout: SamLayout = "transformers" if options.to == "transformers" else "segment_anything"
        made = weights_conversion.convert_sam(
            options.file, options.out, layout=layout, weights=weights
        )
    else:
        kind = "a state dict"
        made = weights_conversion.convert_pickle(options.file, options.out, weights=weights)
    print(f"{options.file} is {kind} of {len(weights)} tensors -> {made}")
    return 0


def run_onnx(options: argparse.Namespace) -> int:
    """Write the graphs and say how large they are."""
    from hub_weights import in_bytes
    from vrpsam_app.models.load_sam import load_sam
    from vrpsam_app.models.sam_onnx import export_sam, require_onnx

    require_onnx()  # before a large file is read
    sam, sha256 = load_sam(options.name)
    files = export_sam(sam, options.out, name=options.name, sha256=sha256)
    for path in (files.encoder, files.decoder):
        print(f"{path}: {in_bytes(path.stat().st_size)}")
    return 0
