"""Everything that can go wrong with weights as files.

::

    HubWeightsError(Exception)
    ├── WeightsNotFoundError(FileNotFoundError)   no such name, folder, repository, revision or file
    │   ├── FileNotInRepositoryError              the repository exists and has no such file
    │   ├── OtherModelError                       a model, but none of this product
    │   └── NotOnThisComputerError                it has to be downloaded, which is switched off
    ├── WeightsAccessError(PermissionError)       the Hub asks for a log-in, a licence, other rights
    ├── HubUnreachableError(ConnectionError)      no connection, no answer in time, no proper answer
    ├── ChecksumMismatchError(ValueError)         the bytes are not the ones that were published
    ├── UnsafeNameError(ValueError)               a name that leads out of the folder it belongs to
    ├── CacheFolderError(OSError)                 a folder that keeps weights cannot be written
    └── PublishError(ValueError)                  a folder is not ready to be published

Each message says what was asked for, what came instead, and what to do.
"""

from __future__ import annotations


class HubWeightsError(Exception):
    """Base of the tree: ``except HubWeightsError`` catches whatever this package raises."""


class WeightsNotFoundError(HubWeightsError, FileNotFoundError):
    """A name, folder, repository, revision or file of weights does not exist."""


class FileNotInRepositoryError(WeightsNotFoundError):
    """A repository on the Hub exists, and has no such file."""


class OtherModelError(WeightsNotFoundError):
    """A folder or repository holds a model of another program."""


class NotOnThisComputerError(WeightsNotFoundError):
    """A file was never downloaded, and downloading is switched off."""


class WeightsAccessError(HubWeightsError, PermissionError):
    """The Hub gives a repository only to some people, or the token is wrong."""


class HubUnreachableError(HubWeightsError, ConnectionError):
    """The Hub cannot be reached, does not answer in time, or does not answer as a Hub does."""


class ChecksumMismatchError(HubWeightsError, ValueError):
    """A file's size or SHA-256 differs from the one recorded for it."""


class UnsafeNameError(HubWeightsError, ValueError):
    """A name would lead out of the folder it belongs to."""


class CacheFolderError(HubWeightsError, OSError):
    """A folder that keeps weights cannot be written, or is full."""


class PublishError(HubWeightsError, ValueError):
    """A folder lacks something without which a model is not published."""
