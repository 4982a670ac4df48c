"""Files in the Hub's cache: found, known by the checksum that names them, removed.

The cache is shared with every other program that uses the Hub. A repository's folder holds
``snapshots/<commit>/<file>``, links to ``blobs/<checksum>``, which may in turn be links into a
store that several repositories share; where links are not possible, the files themselves.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from hub_weights.folders import cache_folder
from hub_weights.hub_errors import hub_errors

_CHECKSUM = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def find_cached(repo_id: str, file: str, revision: str | None = None) -> Path | None:
    """Return the file of an earlier download of a revision, or None.

    Raises
    ------
    HubWeightsError
        If `repo_id` is no name of a repository.
    """
    from huggingface_hub import try_to_load_from_cache

    with hub_errors(f"{repo_id}/{file}", repo_id, revision):
        found = try_to_load_from_cache(repo_id, file, cache_dir=cache_folder(), revision=revision)
    return Path(found) if isinstance(found, str) else None


def commit_of(path: Path, file: str) -> str:
    """Return the commit in whose folder of the cache a file lies.

    Parameters
    ----------
    path : as :func:`find_cached` gave it
    file : its path inside the repository
    """
    return path.parents[file.count("/")].name


def recorded_checksum(path: Path) -> str | None:
    """Return the SHA-256 or git SHA-1 by which the cache names a file's bytes, or None."""
    link = _next_link(path)
    if link is None or not _CHECKSUM.fullmatch(link.name):
        return None
    return link.name


def remember_branch(repo_id: str, revision: str | None, commit: str) -> None:
    """Note what a branch or tag points to, so that it is found again without a connection.

    A cache that cannot be written, as a shared one may be, gives what it holds all the same.
    """
    ref = _repo_folder(repo_id) / "refs" / (revision or "main")
    partial = ref.with_name(f"{ref.name}.{os.getpid()}.part")
    with contextlib.suppress(OSError):
        ref.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(commit, "ascii")
        partial.replace(ref)


def discard(path: Path) -> bool:
    """Remove a file with wrong bytes, and the bytes themselves, wherever the links lead.

    Returns
    -------
    removed : bool
        False where the cache cannot be written.
    """
    cache = cache_folder().resolve()
    link: Path | None = path
    while link is not None and link.parent.resolve().is_relative_to(cache):
        following = _next_link(link)
        try:
            link.unlink(missing_ok=True)
        except OSError:
            return False
        link = following
    return True


def remove_revision(repo_id: str, commit: str) -> int:
    """Remove what was downloaded of a commit, for every program, and return the bytes freed.

    Bytes that other commits or repositories need as well are kept.
    """
    from huggingface_hub import scan_cache_dir

    found = scan_cache_dir(cache_folder())
    known = {
        revision.commit_hash
        for repo in found.repos
        if repo.repo_id == repo_id and repo.repo_type == "model"
        for revision in repo.revisions
    }
    if commit not in known:
        return 0
    plan = found.delete_revisions(commit)
    plan.execute()
    return int(plan.expected_freed_size)


def _repo_folder(repo_id: str) -> Path:
    return cache_folder() / f"models--{repo_id.replace('/', '--')}"


def _next_link(path: Path) -> Path | None:
    """Return where a link points, one step; None for what is no link."""
    if not path.is_symlink():
        return None
    return Path(os.path.normpath(path.parent / os.readlink(path)))
