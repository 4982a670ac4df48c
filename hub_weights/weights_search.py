"""Weights by what a person calls them: a name of the registry, or a repository on the Hub."""

from __future__ import annotations

from pathlib import Path

from hub_weights.checksums import sha256_of
from hub_weights.download import LocalFile, download_file, download_weights
from hub_weights.download_progress import DownloadCallback
from hub_weights.errors import (
    ChecksumMismatchError,
    FileNotInRepositoryError,
    NotOnThisComputerError,
    WeightsNotFoundError,
)
from hub_weights.file_names import RepoName
from hub_weights.folders import foundation_folder
from hub_weights.registry import REGISTRY, WeightsEntry, entry_of

USUAL_FILES = ("model.safetensors", "pytorch_model.bin")
"""What is looked for in a repository, unless a file is named; a pickle comes last."""


def find_weights(
    name: str,
    *,
    token: str | bool | None = None,
    local_files_only: bool = False,
    progress: DownloadCallback | None = None,
) -> tuple[Path, str]:
    """Return a file with weights; it is downloaded if it is nowhere here.

    Parameters
    ----------
    name : str
        A name of the registry; ``organisation/name`` or ``organisation/name@revision`` on the Hub,
        also with ``:file`` behind it.
    token, local_files_only, progress :
        As for :func:`~hub_weights.download.download_file`.

    Returns
    -------
    path : Path
        A file that a person put into the foundation folder comes before a download, if its name is
        one of those by which the registry knows the weights.
    sha256 : hexadecimal

    Raises
    ------
    WeightsNotFoundError
        If there are no such weights, or they are not on the Hub and the file is not here.
    ChecksumMismatchError
        If the file has other bytes than those known for it.
    HubWeightsError
        Whatever else a download can run into.
    """
    repo_text, _, file = name.partition(":")
    repo = RepoName.parse(repo_text) if name not in REGISTRY else None
    if repo is not None:
        found = _in_repository(repo, file, token, local_files_only, progress)
        return found.path, found.sha256
    entry = entry_of(name)
    brought = find_brought(entry)
    if brought is not None:
        return brought, _checked(entry, brought)
    if entry.download is None:
        files = " or ".join(f.file for f in entry.files)
        raise WeightsNotFoundError(
            f"{name} is not on the Hub: put {files} into {foundation_folder()}, or give its path."
        )
    found = download_weights(
        name, token=token, local_files_only=local_files_only, progress=progress
    )
    return found.path, found.sha256


def find_brought(entry: WeightsEntry) -> Path | None:
    """Return the file of an entry in the foundation folder, by its name alone, or None.

    ``model.safetensors`` and ``pytorch_model.bin`` say nothing and are not looked for.
    """
    folder = foundation_folder()
    names = [f.file for f in entry.files if f.file not in USUAL_FILES]
    return next((folder / n for n in names if (folder / n).is_file()), None)


def _in_repository(
    repo: RepoName,
    file: str,
    token: str | bool | None,
    local_files_only: bool,
    progress: DownloadCallback | None,
) -> LocalFile:
    def fetch(name: str) -> LocalFile:
        return download_file(
            repo.repo_id,
            name,
            revision=repo.revision,
            token=token,
            local_files_only=local_files_only,
            progress=progress,
        )

    if file:
        return fetch(file)
    usual, other = USUAL_FILES
    try:
        return fetch(usual)
    except (FileNotInRepositoryError, NotOnThisComputerError):
        return fetch(other)


def _checked(entry: WeightsEntry, path: Path) -> str:
    known = next(f for f in entry.files if f.file == path.name)
    sha256 = sha256_of(path)
    if known.sha256 not in (None, sha256):
        raise ChecksumMismatchError(
            f"{path} has SHA-256 {sha256[:12]}..., the published {path.name} has "
            f"{str(known.sha256)[:12]}...: it is damaged or another file. Remove it, or give its "
            "path instead of the name if you mean to use it."
        )
    return sha256
