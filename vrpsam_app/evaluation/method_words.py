"""Which methods are measured, as words on the command line."""

from __future__ import annotations

from dataclasses import dataclass

from vrpsam_app.errors import ConfigError
from vrpsam_app.evaluation.episode_reader import FORMATS, Format
from vrpsam_app.methods import METHODS


@dataclass(frozen=True, slots=True)
class MethodWords:
    """A method and what it is asked.

    Attributes
    ----------
    name : of the method
    formats, shots : those it is asked of the plan's, None for all
    """

    name: str
    formats: tuple[Format, ...] | None = None
    shots: tuple[int, ...] | None = None

    @classmethod
    def parse(cls, text: str) -> MethodWords:
        """Read ``NAME[,FORMAT...][,shots=N]``; formats and shots may be given several times.

        Raises
        ------
        ConfigError
            If there is no such method, or a word after its name means nothing.

        Examples
        --------
        >>> MethodWords.parse("pixel_forest,click,mask,shots=1")
        MethodWords(name='pixel_forest', formats=('click', 'mask'), shots=(1,))
        """
        name, *words = text.split(",")
        if name not in METHODS:
            raise ConfigError(f"--method {text!r}: expected one of {', '.join(METHODS)}.")
        formats: list[Format] = []
        shots: list[int] = []
        for word in words:
            key, _, value = word.partition("=")
            if key == "shots" and value.isdecimal() and int(value) > 0:
                shots.append(int(value))
            elif known := [f for f in FORMATS if f == word]:
                formats += known
            else:
                raise ConfigError(
                    f"--method {text!r}: {word!r} is not known. Expected NAME[,FORMAT...]"
                    f"[,shots=N] with formats out of {', '.join(FORMATS)}."
                )
        return cls(name, tuple(formats) or None, tuple(shots) or None)
