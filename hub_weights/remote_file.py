"""A file on the Hub, before it is downloaded: commit, size, checksum, licence."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from hub_weights.errors import HubUnreachableError
from hub_weights.file_names import check_file_name
from hub_weights.hub_errors import hub_errors, status_of

PAUSES = (1.0, 3.0)
"""Seconds before the second and the third time of asking a Hub that is busy or out of order."""

LONGEST_PAUSE = 30.0
"""A Hub that asks for more patience than this is not waited for."""

_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA1 = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """What the Hub says of a file.

    Attributes
    ----------
    repo_id, file : which
    commit : 40 hexadecimal digits
    size : bytes; None if the Hub does not say
    sha256 : hexadecimal, of large files
    git_sha1 : hexadecimal, of small ones
    """

    repo_id: str
    file: str
    commit: str
    size: int | None
    sha256: str | None = None
    git_sha1: str | None = None

    @property
    def checksum(self) -> str | None:
        """The one that the Hub gives."""
        return self.sha256 or self.git_sha1


def is_commit(revision: str | None) -> bool:
    """Whether a revision names one commit for good, and not what it points to today."""
    return revision is not None and _COMMIT.fullmatch(revision) is not None


def look_up(
    repo_id: str,
    file: str,
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    report: Callable[[str], None] | None = None,
) -> RemoteFile:
    """Ask the Hub for a file's commit, size and checksum, without downloading it.

    Parameters
    ----------
    repo_id : ``organisation/name``
    file : path inside the repository
    revision : commit, tag or branch; None for the main branch
    token : of a person's account; None takes ``HF_TOKEN`` or what ``hf auth login`` keeps
    report : told when a busy Hub is asked again

    Raises
    ------
    HubWeightsError
        Whatever goes wrong; see :mod:`hub_weights.errors`. A missing connection is found out at
        once, a Hub that is silent after ten seconds, or ``HF_HUB_ETAG_TIMEOUT``.
    """
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url

    check_file_name(file, where=repo_id, folders=True)
    asked = f"{repo_id}/{file}"

    def ask() -> RemoteFile:
        url = hf_hub_url(repo_id, file, revision=revision)
        found = get_hf_file_metadata(url, token=token, timeout=constants.HF_HUB_ETAG_TIMEOUT)
        etag, commit = found.etag or "", found.commit_hash or ""
        # Both become names of files in the cache: nothing but hexadecimal digits is let in.
        if not _COMMIT.fullmatch(commit) or not (_SHA256.fullmatch(etag) or _SHA1.fullmatch(etag)):
            raise HubUnreachableError(
                f"{asked}: the server answers with commit {commit!r} and ETag {etag!r}, which is "
                "not how a Hub names them. Check HF_ENDPOINT, and whether a firewall or a log-in "
                "page of the network stands in between."
            )
        return RemoteFile(
            repo_id=repo_id,
            file=file,
            commit=commit,
            size=found.size,
            sha256=etag if _SHA256.fullmatch(etag) else None,
            git_sha1=etag if _SHA1.fullmatch(etag) else None,
        )

    with hub_errors(asked, repo_id, revision):
        return ask_patiently(ask, asked, report)


def licence_of(
    repo_id: str, *, revision: str | None = None, token: str | bool | None = None
) -> str:
    """Return the licence that a repository's card names, "unknown" if it names none.

    Raises
    ------
    HubWeightsError
        Whatever goes wrong; see :mod:`hub_weights.errors`.
    """
    from huggingface_hub import HfApi, constants

    with hub_errors(repo_id, repo_id, revision):
        info = ask_patiently(
            lambda: HfApi(token=token).model_info(
                repo_id, revision=revision, timeout=constants.HF_HUB_ETAG_TIMEOUT
            ),
            repo_id,
        )
    named = None if info.card_data is None else info.card_data.get("license")
    return named if isinstance(named, str) else "unknown"


def ask_patiently(
    ask: Callable[[], Answer],
    asked: str,
    report: Callable[[str], None] | None = None,
    *,
    broken: type[Exception] | None = None,
) -> Answer:
    """Ask again, twice, when the Hub is busy or out of order; any other error passes at once.

    Parameters
    ----------
    ask : may be called three times
    asked : what for, as messages begin
    report : told before it is asked again
    broken : error of a connection after which it is worth asking again, if there is one

    Raises
    ------
    Exception
        Whatever `ask` raises.
    """
    for pause in PAUSES:
        try:
            return ask()
        except Exception as error:
            status = status_of(error)
            wait = max(pause, _asked_for(error))
            if status is None:
                worth_it = broken is not None and isinstance(error, broken)
                trouble = "the connection broke"
            else:
                worth_it = status == 429 or status >= 500
                trouble = f"the Hub answers {status}"
            if not worth_it or wait > LONGEST_PAUSE:
                raise
            if report is not None:
                report(f"{asked}: {trouble}, asking again in {wait:.0f} s")
        time.sleep(wait)
    return ask()


def _asked_for(error: BaseException) -> float:
    """Return the seconds after which the Hub wants to be asked again, 0 if it does not say."""
    headers = getattr(getattr(error, "response", None), "headers", {})
    value = str(headers.get("Retry-After", ""))
    return float(value) if value.isdecimal() else 0.0
