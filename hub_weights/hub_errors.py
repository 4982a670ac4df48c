"""Everything that huggingface_hub raises, as this package's errors: what came, why, what to do."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from hub_weights.errors import (
    CacheFolderError,
    FileNotInRepositoryError,
    HubUnreachableError,
    HubWeightsError,
    NotOnThisComputerError,
    UnsafeNameError,
    WeightsAccessError,
    WeightsNotFoundError,
)

LOG_IN = "Log in with `hf auth login`, or set HF_TOKEN"
_TRY_LATER = "Try again later; what was downloaded before is kept."
_CONNECT = (
    "Check the connection and, behind a proxy, HTTPS_PROXY. Elsewhere the file can be "
    "downloaded and copied here: `vrpsam weights show` says which."
)


@contextmanager
def hub_errors(asked: str, repo_id: str, revision: str | None = None) -> Iterator[None]:
    """Turn whatever huggingface_hub raises inside into one of this package's errors.

    Parameters
    ----------
    asked : str
        What was asked for, as the messages begin: "facebook/sam-vit-base/model.safetensors".
    repo_id : str
    revision : str, optional

    Raises
    ------
    HubWeightsError
        From the library's error. Errors of this package, and whatever a progress callback raises to
        stop a download, pass as they are.
    """
    from huggingface_hub import errors

    try:
        yield
    except HubWeightsError:
        raise
    except errors.LocalEntryNotFoundError as error:  # before EntryNotFoundError, of which it is one
        raise _not_local(asked, error) from error
    except errors.GatedRepoError as error:  # before RepositoryNotFoundError, of which it is one
        raise WeightsAccessError(
            f"{asked}: the repository is gated, its owner gives it only to people who accepted its "
            f"terms. Accept them on the page {endpoint()}/{repo_id}. {LOG_IN} with a token of "
            "yours."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise _no_repository(asked, repo_id, error) from error
    except errors.RevisionNotFoundError as error:
        raise WeightsNotFoundError(
            f"{asked}: {repo_id} has no revision {revision or 'main'!r}. Give a branch, a tag or a "
            f"whole commit that {endpoint()}/{repo_id}/commits lists."
        ) from error
    except errors.EntryNotFoundError as error:
        raise FileNotInRepositoryError(
            f"{asked}: {repo_id} has no such file at {revision or 'its main branch'}. "
            f"{endpoint()}/{repo_id}/tree lists its files."
        ) from error
    except errors.DisabledRepoError as error:
        raise WeightsAccessError(
            f"{asked}: the Hub has disabled {repo_id}. Take the weights from another source."
        ) from error
    except errors.HfHubHTTPError as error:
        raise _by_status(asked, error) from error
    except errors.OfflineModeIsEnabled as error:
        raise _offline(asked) from error
    except errors.FileMetadataError as error:
        raise _no_hub(asked) from error
    except errors.HFValidationError as error:
        raise UnsafeNameError(
            f"{asked}: {repo_id!r} is no name of a repository. Expected organisation/name."
        ) from error
    except connection_error() as error:
        raise unreachable(asked, error) from error
    except OSError as error:
        raise _local_trouble(asked, error) from error


def connection_error() -> type[Exception]:
    """Return the base of the errors of a connection, of the HTTP library below huggingface_hub.

    Which library that is has changed from release to release; the Hub's own errors stand on it.
    """
    from huggingface_hub.errors import HfHubHTTPError

    base: type[Exception] = HfHubHTTPError.__bases__[0]
    return base


def endpoint() -> str:
    """Return the address of the Hub that is asked: ``HF_ENDPOINT`` or the public one."""
    from huggingface_hub import constants

    address: str = constants.ENDPOINT
    return address


def is_offline() -> bool:
    """Whether ``HF_HUB_OFFLINE`` switches the network off."""
    from huggingface_hub import constants

    offline: bool = constants.is_offline_mode()
    return offline


def unreachable(asked: str, error: BaseException) -> HubUnreachableError:
    """Return the error for a connection that failed."""
    kind = type(error).__name__
    why = "did not answer in time" if "Timeout" in kind else "cannot be reached"
    return HubUnreachableError(f"{asked}: {endpoint()} {why} ({_said(error)}). {_CONNECT}")


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status behind an error, or None."""
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    return status if isinstance(status, int) else None


def _not_local(asked: str, error: BaseException) -> HubWeightsError:
    """Tell a file that may not be downloaded from one that could not be."""
    cause = error.__cause__
    status = status_of(cause) if cause is not None else None
    if status is not None and cause is not None:
        return _by_status(asked, cause)
    kind = type(cause).__name__
    if kind == "FileMetadataError":
        return _no_hub(asked)
    if cause is None or kind == "OfflineModeIsEnabled":
        return _offline(asked)
    return unreachable(asked, cause)


def _offline(asked: str) -> NotOnThisComputerError:
    return NotOnThisComputerError(
        f"{asked} is not on this computer, and downloading is switched off (HF_HUB_OFFLINE or "
        "local_files_only). Unset it, or download once with a connection: "
        "`vrpsam weights download NAME`."
    )


def _no_hub(asked: str) -> HubUnreachableError:
    return HubUnreachableError(
        f"{asked}: {endpoint()} answers, but not as a Hub does: commit or ETag is missing. Check "
        "HF_ENDPOINT, and whether a firewall or a log-in page of the network stands in between."
    )


def _no_repository(asked: str, repo_id: str, error: BaseException) -> HubWeightsError:
    if status_of(error) == 401:
        return WeightsAccessError(
            f"{asked}: the Hub shows nothing of {repo_id} without a log-in (401): it does not "
            f"exist, or is private. Check the spelling. {LOG_IN} if it is private."
        )
    return WeightsNotFoundError(
        f"{asked}: there is no repository {repo_id} on {endpoint()}. Check the spelling: "
        f"organisation/name. {LOG_IN} if it is private."
    )


def _by_status(asked: str, error: BaseException) -> HubWeightsError:
    status = status_of(error)
    if status in (401, 403):
        return WeightsAccessError(
            f"{asked}: the Hub refuses it ({status}). The token is wrong, has expired, or lacks "
            f"the right to do this. {LOG_IN} with a valid one."
        )
    if status == 429:
        return HubUnreachableError(
            f"{asked}: the Hub gets too many requests from here (429). Wait some minutes. {LOG_IN}"
            ": who is logged in may ask more often."
        )
    if status is not None and status >= 500:
        return HubUnreachableError(
            f"{asked}: the Hub is out of order ({status}), not this computer. {_TRY_LATER}"
        )
    return HubUnreachableError(f"{asked}: the Hub answers {status} ({_said(error)}). {_TRY_LATER}")


def _local_trouble(asked: str, error: OSError) -> HubWeightsError:
    """Tell trouble with the disk from a body that ended early, which the library raises alike."""
    if error.errno == errno.ENOSPC:
        return CacheFolderError(
            f"{asked}: the disk is full. Make room, or set HF_HOME to a folder on another disk."
        )
    if error.errno is not None and error.filename is not None:
        return CacheFolderError(
            f"{asked}: {error.filename} cannot be written ({error.strerror}). Check its rights, "
            "or set HF_HOME to a folder of yours."
        )
    return HubUnreachableError(
        f"{asked} arrived incomplete ({_said(error)}). Nothing of it was kept. Start again."
    )


def _said(error: BaseException) -> str:
    """Return an error's first line, or its type."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(". ") if lines else type(error).__name__
