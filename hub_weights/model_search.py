"""Models by whatever a person calls them: a name, a folder, a repository on the Hub."""

from __future__ import annotations

import json
from pathlib import Path

from hub_weights.download import download_file
from hub_weights.download_progress import DownloadCallback
from hub_weights.errors import (
    FileNotInRepositoryError,
    HubUnreachableError,
    OtherModelError,
    WeightsAccessError,
    WeightsNotFoundError,
)
from hub_weights.file_names import RepoName
from hub_weights.folders import embedded_folder, models_folder
from hub_weights.model_folder import (
    CONFIG_NAME,
    SCHEMA_VERSION,
    WEIGHTS_NAME,
    ModelFolder,
    known_models,
    own_models,
)
from hub_weights.registry import REGISTRY
from hub_weights.remote_file import RemoteFile, licence_of, look_up


def find_model(
    name: str | Path,
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
    progress: DownloadCallback | None = None,
) -> ModelFolder:
    """Find a model and check its bytes; one on the Hub is downloaded unless it is in the cache.

    Parameters
    ----------
    name : str or Path
        A name of the registry, the name of a model made on this computer, a folder, or
        ``organisation/name`` on the Hub, also with ``@revision`` behind it. A folder comes before a
        repository of the same name; a Path never leads to the Hub.
    revision : str, optional
        Commit, tag or branch of the repository.
    token, local_files_only, progress :
        As for :func:`~hub_weights.download.download_file`.

    Raises
    ------
    WeightsNotFoundError
        If it is none of these, or holds no model.
    ChecksumMismatchError
        If the weights are others than recorded.
    HubWeightsError
        Whatever else a download can run into.
    """
    if name == "embedded":
        return ModelFolder.open(embedded_folder())
    if str(name) in own_models():
        return ModelFolder.open(models_folder() / name)
    path = Path(name).expanduser()
    if path.is_dir():
        return ModelFolder.open(path)
    if entry := REGISTRY.get(str(name)):
        raise WeightsNotFoundError(
            f"{name} is no complete model but a part of one ({entry.purpose}): expected a model, "
            f"its folder, or organisation/name on the Hub. {known_models()}"
        )
    if isinstance(name, Path):
        raise WeightsNotFoundError(
            f"There is no folder {name}. Give the path of a model's folder, or as text a name or "
            f"organisation/name of a model on the Hub. {known_models()}"
        )
    repo = RepoName.parse(name)
    if repo is None:
        raise WeightsNotFoundError(
            f"{name!r} is neither a folder nor a known name, nor organisation/name of a model on "
            f"the Hub. {known_models()}"
        )
    try:
        return download_model(
            RepoName(repo.repo_id, revision or repo.revision),
            token=token,
            local_files_only=local_files_only,
            progress=progress,
        )
    except (FileNotInRepositoryError, OtherModelError):
        raise  # the repository is there
    except (WeightsNotFoundError, WeightsAccessError, HubUnreachableError) as error:
        raise type(error)(
            f"There is no folder {name} here, so that it was taken for a repository on the Hub. "
            f"{error}"
        ) from error


def download_model(
    repo: RepoName,
    *,
    token: str | bool | None = None,
    local_files_only: bool = False,
    progress: DownloadCallback | None = None,
) -> ModelFolder:
    """Fetch a model's configuration, then its weights of the same commit, and check both.

    Raises
    ------
    OtherModelError
        If the repository holds no model of this product; its weights are then not downloaded.
    HubWeightsError
        Whatever else a download can run into.
    """
    config = download_file(
        repo.repo_id,
        CONFIG_NAME,
        revision=repo.revision,
        token=token,
        local_files_only=local_files_only,
    )
    licence = check_is_ours(config.path, str(repo))
    weights = download_file(
        repo.repo_id,
        WEIGHTS_NAME,
        revision=config.commit,
        licence=licence,
        token=token,
        local_files_only=local_files_only,
        progress=progress,
    )
    return ModelFolder(weights.path.parent, weights.sha256)


def ask_about_model(
    repo: RepoName, file: str = WEIGHTS_NAME, *, token: str | bool | None = None
) -> tuple[RemoteFile, str]:
    """Ask the Hub for a repository's weights and licence, before anything is downloaded.

    Returns
    -------
    weights : commit, size and checksum
    licence : as the repository's card names it

    Raises
    ------
    HubWeightsError
        Whatever goes wrong; see :mod:`hub_weights.errors`.
    """
    licence = licence_of(repo.repo_id, revision=repo.revision, token=token)
    return look_up(repo.repo_id, file, revision=repo.revision, token=token), licence


def check_is_ours(config: Path, source: str) -> str:
    """Refuse the configuration of a model that cannot be read before its weights are downloaded.

    Returns
    -------
    licence : of the model, as its configuration says

    Raises
    ------
    OtherModelError
    """
    try:
        content = json.loads(config.read_text(encoding="utf-8"))
    except ValueError:
        content = None
    if not isinstance(content, dict) or "schema_version" not in content:
        kind = content.get("model_type") if isinstance(content, dict) else None
        other = f" but one of the kind {kind!r}" if isinstance(kind, str) else ""
        raise OtherModelError(
            f"{source} holds no VRP-SAM model{other}: its {CONFIG_NAME} has no schema_version. A "
            "SAM or a backbone is given as such: --sam, --features."
        )
    if (version := content["schema_version"]) != SCHEMA_VERSION:
        raise OtherModelError(
            f"{source} holds a model whose configuration has schema version {version!r}, this "
            f"release reads version {SCHEMA_VERSION}. Install the release that wrote it."
        )
    return str(content.get("license", "unknown"))
