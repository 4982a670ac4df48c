"""``python -m vrpsam_app.cli`` is ``vrpsam``, for where the script is not on the path."""

from __future__ import annotations

import sys

from vrpsam_app.cli import main

if __name__ == "__main__":
    sys.exit(main())
