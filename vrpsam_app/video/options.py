"""What is remembered while a film is gone through, and whom it follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from vrpsam_app.option_text import (
    check_choice,
    check_number,
    options_from_json,
    options_from_text,
    options_to_json,
    options_to_text,
)

Follow = Literal["object", "kind"]


@dataclass(frozen=True, slots=True)
class MemoryOptions:
    """How a film is gone through.

    Attributes
    ----------
    follow : ``object``, each label is this one object, told from others of its kind by where it
        was before; ``kind``, each label is everything that looks like it
    size : later frames that are kept as references beside the first ones, for each label
    every : frames that lie between two of them, at least
    agreement : a frame is kept if what it shows, asked of the picture that was remembered last,
        gives the answer that that one gives itself, with this intersection over union

    Raises
    ------
    ConfigError
        If a value is out of its range.

    Examples
    --------
    >>> MemoryOptions.from_text("kind,size=5")
    MemoryOptions(follow='kind', size=5, every=5, agreement=0.75)
    """

    follow: Follow = "object"
    size: int = 3
    every: int = 5
    agreement: float = 0.75

    def __post_init__(self) -> None:
        check_choice(self, "follow")
        check_number(self, "size", 0, 100, whole=True)
        check_number(self, "every", 1, 100_000, whole=True)
        check_number(self, "agreement", 0, 1)

    @classmethod
    def from_text(cls, text: str) -> MemoryOptions:
        """Read options such as ``"kind,size=5"``; nothing takes the defaults."""
        return options_from_text(cls, text)

    def to_text(self) -> str:
        """Return the shortest text that says the same."""
        return options_to_text(self)

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a recipe."""
        return options_to_json(self)

    @classmethod
    def from_run(cls, section: Mapping[str, Any]) -> MemoryOptions:
        """Read the section that a run has written into its recipe, which also says its way.

        Raises
        ------
        ConfigError
            If a field is unknown, or a value is not allowed.
        """
        own = {name: value for name, value in section.items() if name not in ("axis", "start")}
        return options_from_json(cls, own, "memory")
