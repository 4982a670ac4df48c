"""Text files that list pictures or classes, one a line."""

from __future__ import annotations

from pathlib import Path

from vrpsam_app.errors import ImageFileError


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file that are not empty, without spaces around them.

    Raises
    ------
    ImageFileError
        If the file is missing, is no text, or lists nothing.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise ImageFileError(
            f"{path} cannot be read ({reason}): expected a text file with one name a line. Copy it "
            "from the data set."
        ) from error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise ImageFileError(f"{path} is empty: expected one name a line.")
    return lines


def read_names(path: Path) -> list[str]:
    """Return the names of the pictures that a file lists.

    Parameters
    ----------
    path : each line begins with a name or with the path of a picture; what follows a space, such as
        the path of its labels, is left out, and so are folders and endings

    Raises
    ------
    ImageFileError
        As for :func:`read_lines`.
    """
    return [Path(line.split()[0]).stem for line in read_lines(path)]
