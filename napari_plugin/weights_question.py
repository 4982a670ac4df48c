"""What a choice would download, said before anything is fetched: name, size, licence."""

from __future__ import annotations

from napari_plugin.model_choice import EMBEDDED, ModelChoice


def to_download(choice: ModelChoice) -> tuple[str, ...]:
    """Return a line for each file that is not on this computer.

    The network is not asked: of a model that only the Hub knows the size is not known.
    """
    wanted = [name for name in (choice.model, choice.sam) if name and name != EMBEDDED]
    if not wanted:
        return ()
    from hub_weights import RepoName, in_bytes, list_weights, own_models

    known = {weights.name: weights for weights in list_weights()}
    lines = []
    for name in wanted:
        if name in known:
            weights = known[name]
            if weights.state == "on the Hub":
                size = "size unknown" if weights.size is None else f"about {in_bytes(weights.size)}"
                lines.append(f"{name}: {size}, licence {weights.license}")
        elif name not in own_models() and _is_repository(name):
            repo = RepoName.parse(name)
            if repo is not None and repo.repo_id not in known:
                lines.append(f"{name}: from the Hub, size and licence as stated there")
    return tuple(lines)


def _is_repository(name: str) -> bool:
    from pathlib import Path

    return "/" in name and not Path(name).expanduser().exists()
