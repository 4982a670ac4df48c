"""What is remembered while a film is gone through, and whom it follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vrpsam_app.errors import ConfigError
from vrpsam_app.option_text import TextOptions, check_choice, check_number

Follow = Literal["object", "kind"]


@dataclass(frozen=True, slots=True)
class MemoryOptions(TextOptions):
    """How a film is gone through.

    Attributes
    ----------
    follow : ``object``, each label is this one object, told from others of its kind by where it
        was before; ``kind``, each label is everything that looks like it
    size : later frames that are kept as references beside the first ones, for each label
    every : frames that lie between two of them, at least
    agreement : a frame is kept if what it shows, asked of the picture that was remembered last,
        gives the answer that that one gives itself, with this intersection over union
    axis : of a stack, along which it goes; None takes t where there is one, else the last one
    start : plane along the axis at which objects are marked; from there it goes to the end, and
        then back to the beginning. None looks for the plane that a reference shows.

    Raises
    ------
    ConfigError
        If a value is out of its range.

    Examples
    --------
    >>> MemoryOptions.from_text("kind,size=5")
    MemoryOptions(follow='kind', size=5, every=5, agreement=0.75, axis=None, start=None)
    """

    follow: Follow = "object"
    size: int = 3
    every: int = 5
    agreement: float = 0.75
    axis: str | None = None
    start: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.axis, str | None):
            raise ConfigError(f"Axis is {self.axis!r}: expected its name, such as t or z.")
        check_choice(self, "follow")
        check_number(self, "size", 0, 100, whole=True)
        check_number(self, "every", 1, 100_000, whole=True)
        check_number(self, "agreement", 0, 1)
        check_number(self, "start", 0, whole=True)
