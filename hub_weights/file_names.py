"""Names that come from elsewhere: of files inside a folder, of repositories on the Hub."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath

from hub_weights.errors import UnsafeNameError

_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_REVISION = re.compile(r"[\w.-]+(?:/[\w.-]+)*")
_LONGEST_REPO = 96  # the Hub's own limit


def check_file_name(name: object, *, where: str, folders: bool = False) -> str:
    """Return a file name that stays inside the folder it is joined to.

    Parameters
    ----------
    name : str
        From a file that somebody else wrote.
    where : str
        What the name stands in, for the message.
    folders : bool
        Whether it may lie in a folder, written with ``/``.

    Raises
    ------
    UnsafeNameError
        If it is no name, absolute, or contains ``..``, a backslash, a drive or a control character.

    Examples
    --------
    >>> check_file_name("checkpoints/sam.pth", where="here", folders=True)
    'checkpoints/sam.pth'
    """
    parts = PurePosixPath(name).parts if isinstance(name, str) else ()
    if (
        not isinstance(name, str)
        or name != "/".join(parts)  # empty, doubled or trailing slashes, "./"
        or not parts
        or ".." in parts
        or name.startswith("/")
        or "\\" in name
        or PureWindowsPath(name).drive
        or any(ord(c) < 32 for c in name)
        or (len(parts) > 1 and not folders)
    ):
        expected = "a name inside the folder" if folders else "a plain file name"
        raise UnsafeNameError(
            f"{where} names the file {name!r}: expected {expected}, because a path could lead "
            "anywhere. Nothing was read or written; tell whoever made it."
        )
    return name


@dataclass(frozen=True, slots=True)
class RepoName:
    """A repository on the Hub.

    Attributes
    ----------
    repo_id : ``organisation/name``
    revision : commit, tag or branch; None for the main branch
    """

    repo_id: str
    revision: str | None = None

    @classmethod
    def parse(cls, text: str) -> RepoName | None:
        """Read ``organisation/name`` or ``organisation/name@revision``; None if it is neither.

        Examples
        --------
        >>> RepoName.parse("somebody/nuclei@v1.2")
        RepoName(repo_id='somebody/nuclei', revision='v1.2')
        >>> RepoName.parse("somebody/nuclei/masks") is None
        True
        """
        repo_id, at, revision = text.partition("@")
        if not _REPO.fullmatch(repo_id) or len(repo_id) > _LONGEST_REPO:
            return None
        if "--" in repo_id or ".." in repo_id:
            return None
        if at and (not _REVISION.fullmatch(revision) or ".." in revision):
            return None
        return cls(repo_id, revision or None)

    def __str__(self) -> str:
        return self.repo_id if self.revision is None else f"{self.repo_id}@{self.revision}"
