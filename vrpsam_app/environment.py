"""What results depend on besides weights and settings: the code and the machine it runs on."""

from __future__ import annotations

import functools
import hashlib
import platform
import sys
from pathlib import Path

from vrpsam_app import __version__

# What an image passes through until it is an embedding.
ENCODING_CODE = (
    "config.py",
    "encodings.py",
    "geometry.py",
    "images.py",
    "model_input.py",
    "models",
    "precision.py",
)
# What marks and pictures pass through before a method of single pixels looks at them, and those.
PIXEL_CODE = (
    "annotation_types.py",
    "annotations.py",
    "corrections.py",
    "geometry.py",
    "images.py",
    "methods",
    "reference_segmenter.py",
    "references.py",
    "segmenter.py",
)
# What an answer of any method passes through.
ANSWER_CODE = tuple(sorted({*ENCODING_CODE, *PIXEL_CODE, "decoding.py", "predictor.py"}))
# What may change a result: all but the surfaces, and what learns and measures.
_NO_RESULTS = frozenset({"cli", "data", "evaluation", "reproduction", "training", "web"})

_CPU_INFO = Path("/proc/cpuinfo")


@functools.cache
def code_version(parts: tuple[str, ...] = ()) -> str:
    """Return the release and a hash of source code, such as ``0.1.0+3f9a1c2b70d4``.

    Two copies of the program with the same version compute the same. The release alone would not
    say so: it stays while the program is worked on.

    Parameters
    ----------
    parts : files and folders of this package
        None given: everything that results depend on.
    """
    room = Path(__file__).parent
    parts = parts or tuple(
        sorted(
            path.name
            for path in room.iterdir()
            if path.name not in _NO_RESULTS and (path.is_dir() or path.suffix == ".py")
        )
    )
    digest = hashlib.sha256()
    for part in parts:
        found = room / part
        for path in sorted(found.rglob("*.py")) if found.is_dir() else [found]:
            # Line ends differ with how a copy was fetched, not with what it computes.
            source = path.read_bytes().replace(b"\r\n", b"\n") if path.is_file() else b""
            digest.update(f"{path.relative_to(room).as_posix()} {len(source)} ".encode())
            digest.update(source)
    return f"{__version__}+{digest.hexdigest()[:12]}"


@functools.cache
def machine_name() -> str:
    """Return the processor as the system names it: other ones round differently."""
    processor = platform.processor()
    try:
        lines = _CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            processor = value.strip()
            break
    return " ".join(dict.fromkeys([platform.machine(), *processor.split()]))


def current_environment() -> dict[str, object]:
    """Return what a recipe records of the program and the machine, as plain values.

    Returns
    -------
    environment : ``code``, ``python``, ``machine``, and ``threads`` where torch is in use
    """
    found: dict[str, object] = {
        "code": code_version(),
        "python": platform.python_version(),
        "machine": machine_name(),
    }
    # Not imported for this: what runs without torch does not depend on its threads.
    torch = sys.modules.get("torch")
    if torch is not None:
        found["threads"] = torch.get_num_threads()
    return found
