"""What goes wrong while a file is read, said in one sentence that names the file and the fix."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vrpsam_app.errors import ImageFileError, MissingExtraError, VRPSAMError


@contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Turn whatever a decoder raises into an ImageFileError; this package's own errors pass.

    Parameters
    ----------
    path : what the message names

    Raises
    ------
    ImageFileError
        If the file is missing, a folder, unreadable, damaged, or does not fit in memory.
    """
    try:
        yield
    except VRPSAMError:
        raise
    except FileNotFoundError as error:
        raise ImageFileError(f"{path} does not exist. Check the name and the folder.") from error
    except IsADirectoryError as error:
        raise ImageFileError(f"{path} is a folder: expected an image file.") from error
    except MemoryError as error:
        raise ImageFileError(
            f"{path} does not fit in memory. Crop it, or close other programs."
        ) from error
    except Exception as error:  # a decoder may raise anything on a damaged file
        if isinstance(error, OSError) and error.strerror:  # from the system, not from a decoder
            raise ImageFileError(
                f"{path} cannot be read ({error.strerror}). Check the name and the file's rights."
            ) from error
        raise damaged(path, error) from error


def damaged(name: str | Path, error: Exception | str) -> ImageFileError:
    """Return the error for a file that ends early or makes no sense."""
    reason = str(error).strip().rstrip(".") or type(error).__name__
    return ImageFileError(f"{name} is damaged or incomplete ({reason}). Copy or export it again.")


def needs_formats(path: str | Path, library: str) -> MissingExtraError:
    """Return the error for a file whose reader is not in the plain install."""
    return MissingExtraError(
        f"{path} is read by {library}, which is not installed. Run: "
        'pip install "vrpsam-app[formats]".'
    )
