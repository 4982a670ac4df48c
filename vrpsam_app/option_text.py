"""Frozen option classes as text for a command line and as JSON for a recipe."""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Mapping
from numbers import Real
from typing import (
    Any,
    ClassVar,
    Literal,
    Protocol,
    Self,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from vrpsam_app.errors import ConfigError


class Options(Protocol):
    """A dataclass whose fields are choices, switches and numbers; the first one is a choice."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


OptionsT = TypeVar("OptionsT", bound=Options)


class TextOptions:
    """Gives an option class the ways to and from text and JSON."""

    __slots__ = ()

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read options such as ``"distance,min-area=20,clear-border"``, see `options_from_text`.

        Raises
        ------
        ConfigError
            If they cannot be read.
        """
        return options_from_text(cls, text)  # type: ignore[type-var]  # a dataclass, when used

    def __str__(self) -> str:
        return options_to_text(self)  # type: ignore[arg-type]

    @classmethod
    def from_json(cls, data: object, where: str = "options") -> Self:
        """Build options from what :meth:`to_json` gave, see :func:`options_from_json`."""
        return options_from_json(cls, data, where)  # type: ignore[type-var]

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a recipe."""
        return options_to_json(self)  # type: ignore[arg-type]


def options_from_text(kind: type[OptionsT], text: str) -> OptionsT:
    """Read options such as ``"distance,diameter=12,clear-border"``.

    Parameters
    ----------
    kind : the option class
        Words of its first field stand alone; switches too, numbers after ``=``.
    text : parts between commas, in any order

    Raises
    ------
    ConfigError
        If it is no text, or a part is unknown, comes twice, or has no number where one is expected.
    """
    if not isinstance(text, str):
        raise ConfigError(
            f"There is {text!r} in the place of {kind.__name__}: expected these or text, empty for "
            "what is usual."
        )
    first, *_ = fields = [field.name for field in dataclasses.fields(kind)]
    hints = get_type_hints(kind)
    given: dict[str, object] = {}
    parsed: object
    for part in filter(None, (part.strip() for part in text.split(","))):
        word, equals, value = (piece.strip() for piece in part.partition("="))
        name = word.replace("-", "_")
        if not equals and word in _choices(hints[first]):
            name, parsed = first, word
        elif name in fields and name != first:
            parsed = _value_of(part, hints[name], value if equals else None)
        else:
            raise ConfigError(f"{part!r} in {text!r} is unknown: expected {_words_of(kind)}.")
        if name in given:
            raise ConfigError(f"{text!r} says {name.replace('_', '-')} twice: say it once.")
        given[name] = parsed
    return kind(**given)


def options_to_text(options: Options) -> str:
    """Return the shortest text from which :func:`options_from_text` builds equal options."""
    first, *others = dataclasses.fields(options)
    parts = [str(getattr(options, first.name))]
    for field in others:
        value = getattr(options, field.name)
        if value == field.default:
            continue
        word = field.name.replace("_", "-")
        shown = f"{value:.15g}" if isinstance(value, float) else value
        parts.append(word if value is True else f"{word}={shown}")
    return ",".join(parts)


def options_to_json(options: Options) -> dict[str, Any]:
    """Return the fields as plain values, ready for :mod:`json`."""
    return dataclasses.asdict(options)


def options_from_json(kind: type[OptionsT], data: object, where: str) -> OptionsT:
    """Build options from what :func:`options_to_json` gave.

    Parameters
    ----------
    kind : the option class
    data : a JSON object; fields that are missing keep their defaults
    where : which field of the document it is, for messages

    Raises
    ------
    ConfigError
        If it is no JSON object, a field is unknown, or a value is not allowed.
    """
    names = {field.name for field in dataclasses.fields(kind)}
    if not isinstance(data, Mapping) or not set(data) <= names:
        raise ConfigError(
            f"{where} is {data!r}: expected a JSON object with some of {', '.join(sorted(names))}. "
            "The file is damaged, or another release wrote it."
        )
    try:
        return kind(**data)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def check_choice(options: Options, name: str) -> None:
    """Raise :class:`ConfigError` if a field holds none of the words that its type allows."""
    allowed, value = _choices(get_type_hints(type(options))[name]), getattr(options, name)
    if value not in allowed:
        raise ConfigError(f"{_shown(name)} is {value!r}: expected {', '.join(allowed)}.")


def check_switch(options: Options, name: str) -> None:
    """Raise :class:`ConfigError` if a field is neither True nor False."""
    if not isinstance(value := getattr(options, name), bool):
        raise ConfigError(f"{_shown(name)} is {value!r}: expected true or false.")


def check_number(
    options: Options, name: str, low: float, high: float = math.inf, *, whole: bool = False
) -> None:
    """Make a field that is not None a float in [low, high], or an int where it is `whole`.

    Raises
    ------
    ConfigError
        If it is no such number.
    """
    value = getattr(options, name)
    if value is None:
        return
    fits = not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)
    if not fits or not low <= value <= high or (whole and value != int(value)):
        span = f"from {low:g}" if high == math.inf else f"from {low:g} to {high:g}"
        what = "a whole number" if whole else "a number"
        raise ConfigError(f"{_shown(name)} is {value!r}: expected {what} {span}.")
    object.__setattr__(options, name, int(value) if whole else float(value))


def _shown(name: str) -> str:
    return name.replace("_", "-").capitalize()


def _choices(hint: object) -> tuple[str, ...]:
    return get_args(hint) if get_origin(hint) is Literal else ()


def _value_of(part: str, hint: object, text: str | None) -> object:
    """Read one value as the type of its field says."""
    if hint is bool:
        if text is not None:
            raise ConfigError(f"{part!r} has a value: the switch stands alone.")
        return True
    if text is None:
        raise ConfigError(f"{part!r} has no value: expected one after '='.")
    kinds = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    if not {int, float} & set(kinds):
        return text
    try:
        return float(text)
    except ValueError as error:
        raise ConfigError(f"{part!r} has no number after '=': expected one such as 12.") from error


def _words_of(kind: type[Options]) -> str:
    """List what the text may hold."""
    first, *others = dataclasses.fields(kind)
    hints = get_type_hints(kind)
    words = list(_choices(hints[first.name]))
    for field in others:
        value = "" if hints[field.name] is bool else "=..."
        words.append(field.name.replace("_", "-") + value)
    return ", ".join(words)
