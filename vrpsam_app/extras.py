"""What can be installed besides the plain program, and what each of it is good for."""

from __future__ import annotations

from collections.abc import Mapping

# As pyproject.toml has them under optional-dependencies, which a test compares.
EXTRAS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "web": ("the web app: vrpsam app", ("gradio", "pandas", "pycocotools")),
    "napari": ("the plugin for napari", ("magicgui", "napari", "pandas", "qtpy", "superqt")),
    "formats": (
        "CZI, LIF and ND2 files, TIFF of every compression",
        ("imagecodecs", "liffile", "nd2", "pylibCZIrw"),
    ),
    "objects": (
        "tables of objects; files of COCO and ImageJ",
        ("pandas", "pycocotools", "roifile"),
    ),
    "video": ("movies: MP4, AVI, MOV, MKV, WebM", ("av",)),
    "cluster": ("several processes or machines: --workers, --scheduler", ("distributed",)),
    "evaluate": ("vrpsam evaluate beside other methods", ("pycocotools", "scikit-learn")),
    "train": ("curves of vrpsam train as a picture", ("matplotlib",)),
    "onnx": ("vrpsam weights onnx", ("onnx", "onnxruntime", "onnxscript", "torch")),
}
"""Name of each extra -> what it unlocks, and the distributions it consists of."""


def missing_of(extra: str) -> tuple[str, ...]:
    """Return the distributions of an extra that are not installed.

    Parameters
    ----------
    extra : a name in `EXTRAS`
    """
    return tuple(name for name in EXTRAS[extra][1] if version_of(name) is None)


def how_to_install(extra: str) -> str:
    """Return the command that installs an extra beside the program that is running.

    Notes
    -----
    As the program is installed, from a clone too, pip takes it as it is and fetches the extra
    alone, in any folder. Who has not installed it yet says ``pip install ".[web]"`` in the clone.

    Examples
    --------
    >>> how_to_install("web")
    'pip install "vrpsam-app[web]"'
    """
    return f'pip install "vrpsam-app[{extra}]"'


def version_of(distribution: str) -> str | None:
    """Return the version of a distribution, None if it is not installed."""
    from importlib import metadata  # a quarter of what the command line imports before it starts

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
