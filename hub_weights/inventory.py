"""Which weights there are: on this computer, in the cache, to be had. Nothing goes over the net."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hub_weights.cached_file import commit_of, find_cached, remove_revision
from hub_weights.errors import CacheFolderError, WeightsNotFoundError
from hub_weights.file_names import RepoName
from hub_weights.folders import cache_folder, embedded_folder, models_folder
from hub_weights.model_folder import CONFIG_NAME, WEIGHTS_NAME, own_models
from hub_weights.registry import REGISTRY, Kind, WeightsEntry
from hub_weights.weights_search import find_brought

State = Literal["here", "cached", "on the Hub", "to be brought"]
"""On this computer for good; downloaded, in the Hub's cache; to be downloaded; to be put here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownWeights:
    """One line of the list.

    Attributes
    ----------
    name : under which every surface takes it
    kind : what it can be used as
    purpose : in a few words
    license : of the weights
    state : where they are
    size : bytes; what the registry says, rounded, where the file is not on this computer
    path : of the file or folder on this computer
    """

    name: str
    kind: Kind
    purpose: str
    license: str
    state: State
    size: int | None
    path: Path | None = None


def list_weights() -> tuple[KnownWeights, ...]:
    """List the weights of the registry, the models made here and those downloaded from the Hub."""
    return (
        *(_of_entry(entry) for entry in REGISTRY.values()),
        *(_of_own(name) for name in own_models()),
        *_downloaded_models(),
    )


def remove_weights(name: str) -> int:
    """Remove a model made here, or what was downloaded under a name, and return the bytes freed.

    The Hub's cache is shared: other programs download a removed file again when they need it. Files
    that a person brought stay where they are, and so does a folder that a model made here links to.

    Raises
    ------
    WeightsNotFoundError
        If nothing under this name can be removed.
    CacheFolderError
        If a model made here cannot be removed.
    """
    if name in own_models():
        return _remove_folder(models_folder() / name)
    found = next((w for w in list_weights() if w.name == name), None)
    if found is None:
        raise WeightsNotFoundError(
            f"There is nothing called {name!r}. `vrpsam weights list` shows what is here."
        )
    if found.state == "cached" and found.path is not None:
        repo = REGISTRY[name].download if name in REGISTRY else None
        file = WEIGHTS_NAME if repo is None else repo.file
        repo_id = _repo_id_of(name) if repo is None else str(repo.repo_id)
        weights = found.path if repo is not None else found.path / WEIGHTS_NAME
        return remove_revision(repo_id, commit_of(weights, file))
    why = {
        "on the Hub": "it was not downloaded",
        "to be brought": "it is not here",
    }.get(found.state, "it comes with the product, or you put it there yourself")
    raise WeightsNotFoundError(f"There is nothing of {name} to remove: {why}.")


def _remove_folder(folder: Path) -> int:
    """Remove a folder, of a linked one only the link, and return the bytes freed."""
    try:
        if folder.is_symlink():
            folder.unlink()
            return 0
        size = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
        shutil.rmtree(folder)
    except OSError as error:
        raise CacheFolderError(
            f"{error.filename or folder} cannot be removed ({error.strerror or error}). Check its "
            "rights, and whether another program uses it."
        ) from error
    return size


def _of_entry(entry: WeightsEntry) -> KnownWeights:
    state: State
    path: Path | None
    source = entry.download
    if not entry.needs_download:
        state, path = "here", embedded_folder() / WEIGHTS_NAME
    elif (path := find_brought(entry)) is not None:
        state = "here"
    elif source is None:
        state = "to be brought"
    else:
        path = find_cached(str(source.repo_id), source.file, source.revision)
        state = "on the Hub" if path is None else "cached"
    rounded = None if entry.megabytes is None else entry.megabytes * 10**6
    return KnownWeights(
        name=entry.name,
        kind=entry.kind,
        purpose=entry.purpose,
        license=entry.license,
        state=state,
        size=path.stat().st_size if path is not None else rounded,
        path=path,
    )


def _of_own(name: str) -> KnownWeights:
    folder = models_folder() / name
    weights = folder / WEIGHTS_NAME
    return KnownWeights(
        name=name,
        kind="model",
        purpose="made on this computer",
        license=str((_config_of(folder) or {}).get("license", "unknown")),
        state="here",
        size=weights.stat().st_size if weights.is_file() else None,
        path=folder,
    )


def _downloaded_models() -> Iterator[KnownWeights]:
    """Yield the models of this product in the Hub's cache, the newest commit of each."""
    for folder in sorted(cache_folder().glob("models--*--*")):
        commits = [p.parent for p in folder.glob(f"snapshots/*/{WEIGHTS_NAME}") if p.exists()]
        commits.sort(key=lambda p: p.stat().st_mtime)
        config = _config_of(commits[-1]) if commits else None
        if config is None or "schema_version" not in config:
            continue
        repo_id = "/".join(folder.name.split("--")[1:3])
        yield KnownWeights(
            name=repo_id,
            kind="model",
            purpose=f"{config.get('name', 'a model')}, from the Hub",
            license=str(config.get("license", "unknown")),
            state="cached",
            size=(commits[-1] / WEIGHTS_NAME).stat().st_size,
            path=commits[-1],
        )


def _repo_id_of(name: str) -> str:
    repo = RepoName.parse(name)
    return name if repo is None else repo.repo_id


def _config_of(folder: Path) -> dict[str, object] | None:
    try:
        content = json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
