"""Modules written as ONNX graphs, for programs without PyTorch."""

from __future__ import annotations

import importlib.util
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vrpsam_app.errors import MissingExtraError, OutputError

OPSET = 18
LARGEST_GRAPH = 1_800_000_000
"""Bytes of weights that a file of protobuf can hold; more go into a file beside it."""
REFINEMENTS = 3
"""Of a solution by its own error, which products in single precision leave."""
HALVINGS = 30
"""Iterations of :func:`invert`: enough for a condition number of 10 million."""


def require_onnx() -> None:
    """Make sure that graphs can be written.

    Raises
    ------
    MissingExtraError
        If the packages that write them are not installed.
    """
    if any(importlib.util.find_spec(name) is None for name in ("onnx", "onnxscript")):
        raise MissingExtraError(
            "ONNX files are written by onnx and onnxscript, which are not installed. Run: "
            'pip install "vrpsam-app[onnx]".'
        )


def embed_points(encoder: Any, points: Tensor, labels: Tensor) -> Tensor:
    """Embed points and the corners of boxes without a branch that depends on values.

    segment-anything embeds points by writing to where a label is found, which no graph can hold:
    here every label's embedding is computed and one is selected. The numbers are the same.

    Parameters
    ----------
    encoder : segment_anything.modeling.PromptEncoder
    points : shape (1, P, 2)
        (x, y) as shares of the picture, from 0 to 1.
    labels : shape (1, P)
        As for the graphs.

    Returns
    -------
    tokens : shape (1, P, C)
    """
    place = 2 * points - 1  # the position in [-1, 1], as the prompt encoder has it
    angle = 2 * torch.pi * (place @ encoder.pe_layer.positional_encoding_gaussian_matrix)
    position = torch.cat((angle.sin(), angle.cos()), dim=-1)
    marks = labels[..., None]
    # A padding point has no position, only its own embedding.
    padding = (marks == -1).to(position.dtype)
    embedded = position * (1 - padding) + padding * encoder.not_a_point_embed.weight[None]
    for label, embedding in enumerate(encoder.point_embeddings):
        embedded = embedded + (marks == label).to(position.dtype) * embedding.weight[None]
    return embedded


def invert(matrices: Tensor) -> Tensor:
    """Invert symmetric positive matrices (..., D, D) by products alone, which every graph has.

    Newton's iteration (Schulz 1933); from the matrix's own bound it converges for all of them.
    """
    one = torch.eye(matrices.shape[-1], dtype=matrices.dtype, device=matrices.device)
    largest = matrices.abs().sum(-1).amax(-1)[..., None, None]
    inverse = one / largest
    for _ in range(HALVINGS):
        inverse = inverse @ (2 * one - matrices @ inverse)
    return inverse


def _solve(matrices: Tensor, right: Tensor, *, left: bool = True) -> Tensor:
    """Stand in for the solver of linear systems, of which no graph knows one."""
    inverse = invert(matrices)
    solution = inverse @ right
    for _ in range(REFINEMENTS):
        solution = solution + inverse @ (right - matrices @ solution)
    return solution


def write_graph(
    graph: nn.Module,
    inputs: dict[str, Tensor],
    outputs: tuple[str, ...],
    path: Path,
    many: dict[str, str] | None = None,
) -> None:
    """Trace a module and write its graph, weights inside where they fit."""
    several = many or {}
    weights = sum(p.numel() * p.element_size() for p in graph.state_dict().values())
    axes = {name: torch.export.Dim(name, min=0, max=4096) for name in set(several.values())}
    shapes = tuple({1: axes[several[name]]} if name in several else None for name in inputs)
    with torch.no_grad(), _quiet():
        program = torch.export.export(
            _Positional(graph), tuple(inputs.values()), dynamic_shapes=(shapes,)
        )
        if _solves(program):
            program = program.run_decompositions({torch.ops.aten.linalg_solve.default: _solve})
        torch.onnx.export(
            program,
            f=path,
            input_names=list(inputs),
            output_names=list(outputs),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
            external_data=weights > LARGEST_GRAPH,
        )


class _Positional(nn.Module):
    """Passes its inputs on in their order, so that a graph may take any number of them."""

    def __init__(self, graph: nn.Module) -> None:
        super().__init__()
        self.module = graph

    def forward(self, *arrays: Tensor) -> Any:
        """Call the module."""
        return self.module(*arrays)


def _solves(program: torch.export.ExportedProgram) -> bool:
    """Tell whether a system of equations is solved anywhere in a program."""
    graphs = [m for m in program.graph_module.modules() if isinstance(m, torch.fx.GraphModule)]
    solver = torch.ops.aten.linalg_solve.default
    return any(node.target is solver for graph in graphs for node in graph.graph.nodes)


@contextmanager
def graph_folder(folder: Path) -> Iterator[None]:
    """Make a folder for graphs; what goes wrong while they are written is said.

    Raises
    ------
    OutputError
        If it cannot be made, or a file in it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be written ({error.strerror or error}). Check its rights and the "
            "free space."
        ) from error


def write_description(path: Path, **facts: Any) -> None:
    """Write what graphs are of as JSON."""
    path.write_text(json.dumps({**facts, "opset": OPSET}, indent=2) + "\n", encoding="utf-8")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's notes on its own future to itself."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
