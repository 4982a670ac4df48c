"""How equal the masks of a replayed recipe will be to those of the recorded run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_OF_THE_MODEL = frozenset({"method", "sha256"})
_OF_THE_PROGRAM = frozenset({"code", "precision", "versions.vrpsam_app"})


def replay_promise(
    made_by: Mapping[str, Any],
    environment: Mapping[str, Any],
    made_by_now: Mapping[str, Any],
    environment_now: Mapping[str, Any],
) -> str:
    """Say in one sentence which promise holds for a replay.

    Parameters
    ----------
    made_by, environment : as recorded; an empty environment is that of an older release
    made_by_now, environment_now : the same of the replay

    Notes
    -----
    The same code, settings, device and machine give equal bytes. Another device, machine, number
    of threads or release of a library rounds differently: at most 1e-4 of the pixels differ, and
    the masks overlap by an IoU of at least 0.999. Nothing is promised of another program or model.
    """
    differing = differing_keys(made_by, made_by_now)
    if environment:
        differing += differing_keys(environment, environment_now)
    if _OF_THE_MODEL & set(differing):
        return (
            f"Replay with another model than {made_by.get('model')!r}, which the recipe records: "
            "masks will differ."
        )
    if decisive := _OF_THE_PROGRAM & set(differing):
        return (
            f"Replay with the recorded weights, but another {', '.join(sorted(decisive))}: the "
            "program has changed since, and masks may differ."
        )
    if differing:
        return (
            f"Replay with the recorded weights, but another {', '.join(differing)}: up to 0.01 % "
            "of the pixels of a mask may differ."
        )
    if not environment:
        return (
            "Replay on the same model, device and versions. The recipe, of an older release, does "
            "not say which code and machine made it: on the same ones equal targets give equal "
            "masks."
        )
    return (
        "Replay on the same model, code, device, machine and versions: equal targets give equal "
        "masks, byte for byte."
    )


def differing_keys(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Name the entries that differ, nested ones as ``versions.torch``."""
    names = []
    for key in sorted(set(recorded) | set(now)):
        old, new = recorded.get(key), now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            names += [f"{key}.{inner}" for inner in differing_keys(old, new)]
        elif old != new:
            names.append(key)
    return names
