"""``vrpsam doctor``: what is installed here, and does it work."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Callable, Iterator

from vrpsam_app import __version__
from vrpsam_app.extras import EXTRAS, how_to_install, missing_of, version_of

# What results depend on.
PACKAGES = (
    "torch",
    "torchvision",
    "timm",
    "segment-anything",
    "numpy",
    "scipy",
    "scikit-image",
    "pillow",
    "tifffile",
    "safetensors",
    "huggingface-hub",
)
EXIT_UNWELL = 1


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
) -> argparse.ArgumentParser:
    """Add the command."""
    parser = commands.add_parser(
        "doctor",
        help="say what is installed, and whether it works",
        description="Print versions, device, model, cache folder and memory: what to send along "
        "with a question; and what can be added, with the command that does it. The exit code is "
        "1 if something needed is missing or broken.",
    )
    parser.set_defaults(run=run)
    return parser


def run(options: argparse.Namespace) -> int:
    """Print one line for each finding; what is wrong is marked and decides the exit code."""
    well = True
    for name, finding, is_well in findings():
        print(f"{name:<17} {finding}{'' if is_well else '   <-- needs attention'}")
        well &= is_well
    print("\nWhat can be added")
    for line in additions():
        print(line)
    return 0 if well else EXIT_UNWELL


def findings() -> Iterator[tuple[str, str, bool]]:
    """Yield what is looked at, what was found, and whether that is well."""
    yield "vrpsam-app", __version__, True
    yield "Python", f"{platform.python_version()} on {platform.platform()}", True
    for package in PACKAGES:
        version = version_of(package)
        yield package, version or "not installed", version is not None
    yield "device", *_guarded(_device)
    yield "model", *_guarded(_model)
    yield "cache folder", *_guarded(_cache)
    yield "memory", *_guarded(_memory)


def additions() -> Iterator[str]:
    """Yield a line for each extra: whether it is there, what it unlocks, how it is installed."""
    for name, (unlocks, packages) in EXTRAS.items():
        missing = missing_of(name)
        if not missing:
            yield f"{name:<9} installed      {unlocks}"
            continue
        lacks = "" if len(missing) == len(packages) else f" (lacks {', '.join(missing)})"
        yield f"{name:<9} not installed  {unlocks}{lacks}: {how_to_install(name)}"


def _guarded(look: Callable[[], str]) -> tuple[str, bool]:
    """Report whatever goes wrong instead of failing: this command is for broken installations."""
    try:
        return look(), True
    except Exception as error:
        return f"{type(error).__name__}: {error}", False


def _device() -> str:
    import torch

    threads = f"{torch.get_num_threads()} threads"
    if torch.cuda.is_available():
        return f"cuda, {torch.cuda.get_device_name()} (CPU: {threads})"
    if torch.backends.mps.is_available():
        return f"mps, Apple GPU (CPU: {threads})"
    return f"cpu, {threads}"


def _model() -> str:
    import hub_weights
    from vrpsam_app.predictor import VRPSAMPredictor

    folder = hub_weights.find_model("embedded")  # compares the checksum
    VRPSAMPredictor.from_pretrained("embedded", device="cpu")
    size = folder.weights.stat().st_size / 1e6
    return f"embedded, {size:.1f} MB, sha256 {folder.sha256[:12]}..., is whole and loads"


def _cache() -> str:
    import hub_weights

    folder = hub_weights.cache_folder()
    return f"{folder}{'' if folder.is_dir() else ' (made when something is downloaded)'}"


def _memory() -> str:
    if not hasattr(os, "sysconf"):
        return "unknown on this system"
    page = os.sysconf("SC_PAGE_SIZE") / 2**30
    total = f"{os.sysconf('SC_PHYS_PAGES') * page:.1f} GiB"
    if "SC_AVPHYS_PAGES" not in os.sysconf_names:
        return total
    return f"{total}, {os.sysconf('SC_AVPHYS_PAGES') * page:.1f} GiB of it free"
