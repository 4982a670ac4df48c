"""Everything that can go wrong with weights as files.

::

    HubWeightsError(Exception)
    ├── WeightsNotFoundError(FileNotFoundError)   no such name, folder or file
    └── ChecksumMismatchError(ValueError)         the bytes are not the ones that were published
"""

from __future__ import annotations


class HubWeightsError(Exception):
    """Base of the tree: ``except HubWeightsError`` catches whatever this package raises."""


class WeightsNotFoundError(HubWeightsError, FileNotFoundError):
    """A name, folder or file of weights does not exist."""


class ChecksumMismatchError(HubWeightsError, ValueError):
    """A file's SHA-256 differs from the one recorded for it."""
