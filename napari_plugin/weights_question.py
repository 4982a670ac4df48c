"""What a choice would download, said before anything is fetched: name, size, licence."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_plugin.model_choice import EMBEDDED, ModelChoice
from napari_plugin.questions import Doing
from vrpsam_app.weights_errors import weights_errors


@dataclass(frozen=True, slots=True)
class Missing:
    """A file that is not on this computer.

    Attributes
    ----------
    name : of the weights, or ``organisation/name`` on the Hub
    about : size and licence; empty where only the Hub knows them
    """

    name: str
    about: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.about or 'on the Hub'})"


def to_download(choice: ModelChoice) -> tuple[Missing, ...]:
    """Return what is not on this computer; the network is not asked."""
    names = (choice.model, choice.sam, choice.features)
    wanted = [name for name in names if name and name != EMBEDDED]
    if not wanted:
        return ()
    from hub_weights import RepoName, list_weights, own_models

    known = {weights.name: weights for weights in list_weights()}
    missing = []
    for name in wanted:
        if name in known:
            weights = known[name]
            if weights.state == "on the Hub":
                missing.append(Missing(name, _about(weights.size, weights.license)))
        elif "/" in name and name not in own_models() and not Path(name).expanduser().exists():
            repo = RepoName.parse(name.partition(":")[0])
            if repo is not None and repo.repo_id not in known:
                missing.append(Missing(name))
    return tuple(missing)


def asked_about(missing: Sequence[Missing]) -> Generator[Any, None, tuple[Missing, ...]]:
    """Complete what is known of files by asking the Hub; belongs in a worker.

    Raises
    ------
    WeightsError
        If there is no such repository, or the Hub cannot be reached.
    """
    complete = []
    for one in missing:
        if not one.about:
            yield Doing(f"asking the Hub about {one.name}")
            with weights_errors():
                one = _complete(one)
        complete.append(one)
    return tuple(complete)


def _complete(one: Missing) -> Missing:
    """Ask the Hub about one file."""
    from hub_weights import FileNotInRepositoryError, RepoName, ask_about_model, licence_of

    name, _, file = one.name.partition(":")
    repo = RepoName.parse(name)
    if repo is None:
        return one
    try:
        weights, licence = ask_about_model(repo, *([file] if file else []))
    except FileNotInRepositoryError:  # a SAM may lie there as a pickle
        return Missing(one.name, _about(None, licence_of(repo.repo_id, revision=repo.revision)))
    return Missing(one.name, _about(weights.size, licence))


def _about(size: int | None, licence: str) -> str:
    from hub_weights import in_bytes

    return f"{'size unknown' if size is None else in_bytes(size)}, licence {licence}"
