"""The sets of weights the product knows by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsEntry:
    """One set of weights: what it is for and under which terms."""

    name: str
    purpose: str
    license: str
    needs_download: bool


REGISTRY: Mapping[str, WeightsEntry] = MappingProxyType(
    {
        "embedded": WeightsEntry(
            name="embedded",
            purpose="small complete VRP-SAM, trained by this project, ships with it",
            license="apache-2.0",
            needs_download=False,
        )
    }
)
