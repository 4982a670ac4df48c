"""What the page says of models: how large they are, whose, and how far a download is."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vrpsam_app.methods import METHODS
from vrpsam_app.web.model import EMBEDDED, known_models
from vrpsam_app.weights_errors import weights_errors

if TYPE_CHECKING:
    from hub_weights import DownloadProgress, KnownWeights

_NAMES = {EMBEDDED: "small, comes with the app"}


def model_choices() -> list[tuple[str, str]]:
    """Return words and name of every model in the list, as a dropdown takes them."""
    return [(_choice(weights), weights.name) for weights in known_models()]


def method_choices(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return words and name of methods, as a dropdown takes them."""
    return [(METHODS[name].summary, name) for name in names]


def about(name: str) -> str:
    """Return size, licence and purpose of a model; one that is not in the list is asked for.

    Raises
    ------
    WeightsError
        If there is no such model, or the Hub cannot be reached.
    """
    weights = next((w for w in known_models() if w.name == name), None)
    if weights is None:
        return _ask_hub(name)
    words = f"{weights.purpose} · licence {weights.license}"
    if weights.size is not None:
        words = f"{_size(weights.size)} · {words}"
    if weights.state == "on the Hub":
        words = f"Will be downloaded: {words}"
    return words


def _ask_hub(name: str) -> str:
    """Return size and licence of a repository's model."""
    import hub_weights

    if Path(name).expanduser().is_dir():
        return "A folder on this computer."
    with weights_errors():
        repo = hub_weights.RepoName.parse(name)
        if repo is None:
            raise hub_weights.WeightsNotFoundError(
                f"There is no folder {name[:80]!r}, and it is no name on the Hub either: expected "
                "organisation/name, or a folder with a model."
            )
        licence = hub_weights.licence_of(repo.repo_id, revision=repo.revision)
        remote = hub_weights.look_up(repo.repo_id, "model.safetensors", revision=repo.revision)
    size = "size unknown" if remote.size is None else _size(remote.size)
    return f"Will be downloaded: {size} · licence {licence}"


def download_words(progress: DownloadProgress) -> str:
    """Say how far a download is."""
    return f"Downloading · {progress}"


def _choice(weights: KnownWeights) -> str:
    size = "" if weights.size is None else f" · {_size(weights.size)}"
    where = " · to be downloaded" if weights.state == "on the Hub" else ""
    return f"{_NAMES.get(weights.name, weights.name)}{size}{where}"


def _size(size: int) -> str:
    from hub_weights import in_bytes

    return in_bytes(size)


def paragraph(words: str) -> str:
    """Return a sentence as HTML."""
    return f"<p>{html.escape(words)}</p>"
