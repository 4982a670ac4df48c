"""Which methods are measured, as words on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vrpsam_app.errors import ConfigError
from vrpsam_app.evaluation.episode_reader import FORMATS, Format
from vrpsam_app.methods import GUARDS, METHODS, SLOW

EVERY = "all"
"""The word for every method."""


@dataclass(frozen=True, slots=True)
class MethodWords:
    """A method and what it is asked.

    Attributes
    ----------
    name : of the method
    formats, shots : those it is asked of the plan's, None for all
    optional : left out, and named, if what it needs is not there
    """

    name: str
    formats: tuple[Format, ...] | None = None
    shots: tuple[int, ...] | None = None
    optional: bool = False

    @classmethod
    def parse_all(cls, texts: Sequence[str]) -> tuple[MethodWords, ...]:
        """Read several; the word ``all`` stands for every method that is no guard.

        Those that are slow are asked by mask and with one reference only, unless they are named
        themselves.

        Raises
        ------
        ConfigError
            As for :meth:`parse`.
        """
        named = [cls.parse(text) for text in texts if text != EVERY]
        if EVERY not in texts:
            return tuple(named)
        known = {words.name for words in named}
        rest = [
            cls(name, ("mask",), (1,), True) if name in SLOW else cls(name, optional=True)
            for name in METHODS
            if name not in known and name not in GUARDS
        ]
        return (*named, *rest)

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
            raise ConfigError(f"--method {text!r}: expected one of {', '.join((EVERY, *METHODS))}.")
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
