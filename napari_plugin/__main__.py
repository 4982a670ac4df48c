"""``python -m napari_plugin``: what ``vrpsam napari`` starts."""

from __future__ import annotations

import sys

from napari_plugin.launch import main

if __name__ == "__main__":
    sys.exit(main())
