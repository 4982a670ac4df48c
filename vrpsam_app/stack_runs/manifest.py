"""What a run over a stack was begun with, and whether it can go on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from vrpsam_app.environment import code_version
from vrpsam_app.errors import ConfigError, OutputError
from vrpsam_app.references import Reference
from vrpsam_app.replay_promise import differing_keys
from vrpsam_app.stack_runs.outputs import StackOutput
from vrpsam_app.stack_runs.work import StackWork
from vrpsam_app.stacks.intensity_sample import StackSample
from vrpsam_app.stacks.stack import Stack
from vrpsam_app.tiles.plan import TilePlan

VERSION = 1


def run_manifest(
    stack: Stack,
    references: Sequence[Reference],
    work: StackWork,
    plan: TilePlan,
    sample: StackSample,
    made_by: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what has to be the same when a run goes on, as plain values."""
    shown, cutting, size = work.task.intensity_range, work.objects, stack.pixel_size
    marked_at = None if cutting is None else cutting.reference_pixel_size
    manifest = {
        "version": VERSION,
        "code": code_version(),
        "made_by": made_by,
        "references": [[r.label, r.content_key] for r in references],
        "intensity_range": None if shown is None else [shown.low, shown.high],
        "threshold": work.task.threshold,
        "output": work.output,
        "tiles": plan.to_json(),
        "batch_size": work.task.batch_size,
        "objects": None if cutting is None else cutting.to_json(),
        "reference_pixel_size": None if marked_at is None else asdict(marked_at),
        "stack": {
            "shape": stack.data.shape,
            "dtype": stack.dtype.str,
            "axes": stack.axes,
            "pixels": sample.fingerprint,
            "pixel_size": None if size is None else asdict(size),
        },
    }
    plain: dict[str, Any] = json.loads(json.dumps(manifest, default=str))
    return plain


def is_begun(
    target: StackOutput, manifest: Mapping[str, Any], *, resume: bool, overwrite: bool
) -> bool:
    """Tell whether there is a run to go on with; make room where that is asked for.

    Raises
    ------
    OutputError
        If there is something else, or a run that was begun otherwise.
    ConfigError
        If a run is to be continued and to be replaced.
    """
    if resume and overwrite:
        raise ConfigError("Either go on with a run or replace it: give resume or overwrite.")
    if not (target.path.exists() or target.folder.exists()):
        return False
    if overwrite:
        target.clear()
        return False
    begun = target.begun()
    if begun is None:
        raise OutputError(
            f"{target.path} exists and was not written by this program: choose another name."
        )
    if not resume:
        raise OutputError(
            f"{target.path} holds a result, or a part of one: go on with it by resume, replace it "
            "by overwrite (--resume, --overwrite), or choose another name."
        )
    if differing := differing_keys(begun, manifest):
        raise OutputError(
            f"{target.path} was begun with another {', '.join(differing)} "
            f"({_difference(begun, manifest, differing[0])}): go on with the same, or choose "
            "another name."
        )
    return True


def _difference(begun: Mapping[str, Any], now: Mapping[str, Any], key: str) -> str:
    """Say what a setting was and what it is."""
    old: Any = begun
    new: Any = now
    for part in key.split("."):
        old = old.get(part) if isinstance(old, Mapping) else None
        new = new.get(part) if isinstance(new, Mapping) else None
    return f"{str(old)[:60]} there, {str(new)[:60]} now"
