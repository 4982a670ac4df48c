"""segment-anything's modules without the rest of it.

The package's first file also imports its tools for whole pictures, and with them torchvision and
PyTorch's compiler: nearly a second, which the modules themselves do not need.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
from functools import cache
from types import ModuleType

_PACKAGE = "segment_anything"
_LOCK = threading.Lock()


@cache
def sam_modules() -> ModuleType:
    """Import ``segment_anything.modeling``; whoever imports the package later gets all of it.

    Raises
    ------
    ImportError
        If the package is not installed.
    """
    with _LOCK:
        if _PACKAGE in sys.modules:
            return importlib.import_module(f"{_PACKAGE}.modeling")
        spec = importlib.util.find_spec(_PACKAGE)
        if spec is None:
            raise ImportError(f"{_PACKAGE} is not installed: install vrpsam-app again.")
        # A package of which nothing was run stands in while its modules are imported.
        sys.modules[_PACKAGE] = importlib.util.module_from_spec(spec)
        try:
            return importlib.import_module(f"{_PACKAGE}.modeling")
        finally:
            del sys.modules[_PACKAGE]
