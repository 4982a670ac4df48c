"""Downloads: asked for, fetched into the Hub's cache, compared with what was published, then used.

Nothing that was not compared is ever handed out. A damaged file is removed; one that is whole, and
still not the one expected, stays for other programs. The message says which.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path

from hub_weights.cached_file import (
    commit_of,
    discard,
    find_cached,
    recorded_checksum,
    remember_branch,
)
from hub_weights.checksums import sha256_of
from hub_weights.download_progress import (
    DownloadCallback,
    DownloadProgress,
    in_bytes,
    progress_bar_of,
)
from hub_weights.errors import (
    ChecksumMismatchError,
    HubUnreachableError,
    NotOnThisComputerError,
    WeightsNotFoundError,
)
from hub_weights.file_names import check_file_name
from hub_weights.folders import cache_folder
from hub_weights.hub_errors import connection_error, hub_errors, is_offline
from hub_weights.registry import WeightsFile, entry_of
from hub_weights.remote_file import RemoteFile, ask_patiently, is_commit, look_up

_LOG = logging.getLogger("hub_weights")
_KEPT = (
    "It is whole as the Hub gave it, and was kept for other programs: it was replaced there, or "
    "another one is meant. Update the product, or take the weights from elsewhere."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalFile:
    """A downloaded file whose bytes were compared.

    Attributes
    ----------
    path : in the Hub's cache
    repo_id, file, commit : where it comes from
    size : bytes
    sha256 : hexadecimal
    compared_with : who knew the checksum beforehand: "the registry", "the Hub" or "nobody"
    """

    path: Path
    repo_id: str
    file: str
    commit: str
    size: int
    sha256: str
    compared_with: str

    def __str__(self) -> str:
        return (
            f"{self.repo_id}/{self.file}, commit {self.commit}, {self.size:,} bytes, SHA-256 "
            f"{self.sha256}, known beforehand by {self.compared_with}"
        )


def download_file(
    repo_id: str,
    file: str,
    *,
    revision: str | None = None,
    sha256: str | None = None,
    size: int | None = None,
    licence: str | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
    progress: DownloadCallback | None = None,
) -> LocalFile:
    """Return a file of a repository, downloaded unless it is in the cache, and compared.

    Parameters
    ----------
    repo_id : ``organisation/name``
    file : path inside the repository
    revision : commit, tag or branch; None for the main branch
    sha256, size : as known beforehand; None leaves it to what the Hub says
    licence : said before a download, with the size
    token : of a person's account; None takes ``HF_TOKEN`` or what ``hf auth login`` keeps
    local_files_only : whether to stay off the network, as ``HF_HUB_OFFLINE=1`` does for all
    progress : told about every few megabytes; what it raises stops the download and passes through

    Raises
    ------
    ChecksumMismatchError
        If the bytes are others than expected; damaged ones were removed.
    HubWeightsError
        Whatever else goes wrong; see :mod:`hub_weights.errors`.
    """
    check_file_name(file, where=repo_id, folders=True)
    if revision is not None:
        check_file_name(revision, where=f"the revision of {repo_id}", folders=True)
    request = _Request(repo_id, file, revision, sha256, size, licence, token, progress)
    offline = local_files_only or is_offline()
    cached = find_cached(repo_id, file, revision)
    if cached is not None and (offline or is_commit(revision)):
        try:
            return request.compare(cached)
        except ChecksumMismatchError as error:
            if offline:
                raise
            _LOG.warning("%s", error)
    elif offline:
        raise NotOnThisComputerError(
            f"{request.asked} is not on this computer, and downloading is switched off "
            "(HF_HUB_OFFLINE or local_files_only). Unset it, or download once with a connection."
        )
    try:
        remote = look_up(repo_id, file, revision=revision, token=token, report=request.say)
    except HubUnreachableError as error:
        if cached is None or is_commit(revision):
            raise
        # A branch may have moved on since: what it pointed to then is better than nothing.
        _LOG.warning("%s The file of an earlier download is taken.", error)
        return request.compare(cached)
    return request.fetch(remote)


def download_weights(
    name: str,
    *,
    token: str | bool | None = None,
    local_files_only: bool = False,
    progress: DownloadCallback | None = None,
) -> LocalFile:
    """Download weights that the registry names; see :func:`download_file`.

    Where the registry pins less than commit and checksum, what was seen is logged.

    Raises
    ------
    WeightsNotFoundError
        If there are no such weights, or they are not on the Hub.
    HubWeightsError
        Whatever else goes wrong.
    """
    source = source_of(name)
    found = download_file(
        source.repo_id or "",
        source.file,
        revision=source.revision,
        sha256=source.sha256,
        size=source.size,
        licence=entry_of(name).license,
        token=token,
        local_files_only=local_files_only,
        progress=progress,
    )
    if not source.is_pinned:
        _LOG.warning("This release does not pin all of %s. Taken: %s.", name, found)
    return found


def source_of(name: str) -> WeightsFile:
    """Return where weights of the registry are downloaded from.

    Raises
    ------
    WeightsNotFoundError
        If there are no such weights, or they are not on the Hub.
    """
    entry = entry_of(name)
    if entry.download is None:
        files = " or ".join(f.file for f in entry.files)
        why = (
            f"is not on the Hub. Bring the file yourself ({files}) and give its path"
            if entry.needs_download
            else "comes with the product"
        )
        raise WeightsNotFoundError(f"{name} cannot be downloaded: it {why}.")
    return entry.download


@dataclass(frozen=True, slots=True)
class _Request:
    """One file that is wanted, and what is known of it beforehand."""

    repo_id: str
    file: str
    revision: str | None
    sha256: str | None
    size: int | None
    licence: str | None
    token: str | bool | None
    progress: DownloadCallback | None

    @property
    def asked(self) -> str:
        return f"{self.repo_id}/{self.file}"

    def say(self, message: str) -> None:
        if self.progress is None:
            _LOG.warning("%s", message)
        else:
            self.progress(DownloadProgress(file=self.asked, done=0, total=None, message=message))

    def fetch(self, remote: RemoteFile) -> LocalFile:
        """Download a file of which the Hub has spoken, unless this commit's is in the cache."""
        self._check_promise(remote)
        found = find_cached(self.repo_id, self.file, remote.commit)
        if found is not None:
            try:
                return self._done(self.compare(found, remote))
            except ChecksumMismatchError as error:
                _LOG.warning("%s", error)
        return self._done(self.compare(self._get(remote), remote))

    def _get(self, remote: RemoteFile) -> Path:
        from huggingface_hub import hf_hub_download

        if self.licence is not None:
            size = "of unknown size" if remote.size is None else in_bytes(remote.size)
            self.say(f"Downloading {self.asked}: {size}, licence {self.licence}")
        bar = progress_bar_of(self.progress, self.asked)
        with hub_errors(self.asked, self.repo_id, self.revision):
            path = ask_patiently(
                lambda: hf_hub_download(
                    self.repo_id,
                    self.file,
                    revision=remote.commit,
                    cache_dir=cache_folder(),
                    token=self.token,
                    tqdm_class=bar,
                ),
                self.asked,
                self.say,
                broken=connection_error(),
            )
        return Path(path)

    def compare(self, path: Path, remote: RemoteFile | None = None) -> LocalFile:
        """Compare the bytes with what is known of them; remove damaged ones."""
        size, sha256 = path.stat().st_size, sha256_of(path)
        found, source = sha256, "the registry"
        recorded = recorded_checksum(path)
        expected = self.sha256
        if expected is None:
            source = "the Hub"
            expected = recorded if remote is None else remote.checksum
            if expected is None:
                source, expected = "nobody", sha256
            elif len(expected) == 40:
                found = _git_sha1_of(path)
        expected_size = self.size if remote is None or self.size is not None else remote.size
        if found != expected or expected_size not in (None, size):
            named = _git_sha1_of(path) if len(recorded or "") == 40 else sha256
            whole = recorded == named
            wanted = f"{expected[:12]}..."
            if expected_size is not None:
                wanted += f" and {expected_size:,} bytes"
            raise ChecksumMismatchError(
                f"{self.asked} has other bytes than {source} says: checksum {found[:12]}... and "
                f"{size:,} bytes, expected {wanted}. {_KEPT if whole else _removed(path)}"
            )
        return LocalFile(
            path=path,
            repo_id=self.repo_id,
            file=self.file,
            commit=commit_of(path, self.file),
            size=size,
            sha256=sha256,
            compared_with=source,
        )

    def _check_promise(self, remote: RemoteFile) -> None:
        """Refuse before a download what could not pass after it."""
        differs = self.sha256 is not None and remote.sha256 not in (None, self.sha256)
        if differs or (self.size is not None and remote.size not in (None, self.size)):
            raise ChecksumMismatchError(
                f"{self.asked}: the Hub offers {remote.size} bytes with SHA-256 "
                f"{str(remote.sha256)[:12]}..., expected {self.size or 'any number of'} bytes with "
                f"{str(self.sha256)[:12]}.... Nothing was downloaded: the file was replaced. "
                "Update the product, or take the weights from elsewhere."
            )

    def _done(self, found: LocalFile) -> LocalFile:
        if not is_commit(self.revision):
            remember_branch(self.repo_id, self.revision, found.commit)
        return found


def _removed(path: Path) -> str:
    """Remove a damaged file, and say what became of it."""
    said = "was removed" if discard(path) else f"could not be removed: remove {path} yourself"
    return (
        f"The file {said}. Fetch it again; if it comes with other bytes again, it was replaced, or "
        "something changes it on the way."
    )


def _git_sha1_of(path: Path) -> str:
    """Return git's name for a file's bytes, which the Hub gives for small files."""
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
