"""What is asked of whom: methods, formats of marks, numbers of references, changed pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from vrpsam_app.annotations import Kind
from vrpsam_app.environment import ANSWER_CODE, code_version
from vrpsam_app.errors import ConfigError
from vrpsam_app.evaluation.episode_reader import Format
from vrpsam_app.evaluation.evaluation_set import EvaluationSet
from vrpsam_app.segmenter import Segmenter

PAPER_KINDS: Mapping[Format, Kind] = {
    "mask": "mask",
    "box": "box",
    "stroke": "scribble",
    "click": "point",
}
"""What the paper's experiments call the formats; it has no outline of one object."""


class DescribedSegmenter(Segmenter, Protocol):
    """A segmenter that says what it is: settings, weights, versions."""

    def describe(self) -> Mapping[str, Any]:
        """Return what a recipe must pin."""
        ...


def answering_code(segmenter: DescribedSegmenter) -> str:
    """Return the version of the code that a method's answers depend on.

    Answers of an earlier version are not those that the method gives now.
    """
    return code_version(getattr(segmenter, "code", ANSWER_CODE))


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredMethod:
    """A method and what it is asked; slow ones are asked less.

    Attributes
    ----------
    name : in tables; no two methods share one
    build : makes it; done anew for each data set, so that none holds what another left in memory
    formats, shots : those it is asked of the plan's, None for all of them
    """

    name: str
    build: Callable[[], DescribedSegmenter]
    formats: tuple[Format, ...] | None = None
    shots: tuple[int, ...] | None = None


class Ask(NamedTuple):
    """One way of asking an episode."""

    format: Format
    shots: int
    shift: str = ""


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """Formats, numbers of references and changes of the pictures.

    Attributes
    ----------
    formats : the first one is the main one, of which pictures are kept and which is asked of
        changed pictures too
    shots : numbers of references
    shifts : names of changes of the target, see `vrpsam_app.evaluation.shift_suite`
    paper : ask as the paper's experiments do, at 512 x 512
    """

    formats: tuple[Format, ...] = ("click", "mask", "box")
    shots: tuple[int, ...] = (1, 5)
    shifts: tuple[str, ...] = ()
    paper: bool = False

    def __post_init__(self) -> None:
        if not self.formats or not self.shots or min(self.shots) < 1:
            raise ConfigError(
                f"formats={self.formats}, shots={self.shots}: expected at least one of each, and "
                "one reference or more."
            )
        if self.paper and (unknown := set(self.formats) - set(PAPER_KINDS)):
            raise ConfigError(
                f"The paper's experiments have no format {', '.join(sorted(unknown))}: expected "
                f"{', '.join(PAPER_KINDS)}."
            )
        if self.paper and self.shifts:
            raise ConfigError(
                "The paper's experiments have no changed pictures: ask for them with the default "
                "protocol (--shift without --protocol paper)."
            )

    def asks(self, method: MeasuredMethod, data: EvaluationSet) -> list[Ask]:
        """Return how a method is asked on a data set, the main way first.

        Formats that make no sense for the data, and more references than every episode has, are
        left out.
        """
        formats, shots = self._possible(data)
        wanted = [
            Ask(f, s)
            for s in shots
            for f in formats
            if method.formats is None or f in method.formats
            if method.shots is None or s in method.shots
        ]
        main = self.main_ask(data)
        if main is None or main not in wanted:
            return wanted
        return [*wanted, *(main._replace(shift=shift) for shift in self.shifts)]

    def not_asked(self, methods: Sequence[MeasuredMethod], data: EvaluationSet) -> list[str]:
        """Say what a data set is not asked although it was wanted, and why."""
        formats, shots = self._possible(data)
        said = []
        if dropped := [f for f in self.formats if f not in formats]:
            said.append(f"{', '.join(dropped)}: its objects are not told apart")
        if many := [str(s) for s in self.shots if s not in shots]:
            said.append(
                f"{', '.join(many)} references: some of its episodes have only {data.most_shots}"
            )
        if formats and shots:
            said += [
                f"{m.name}: it was to be asked other formats or numbers of references only"
                for m in methods
                if not self.asks(m, data)
            ]
        return [f"{data.name}, {words}" for words in said]

    def main_ask(self, data: EvaluationSet) -> Ask | None:
        """Return the first format that makes sense for the data, with the fewest references."""
        formats, shots = self._possible(data)
        return Ask(formats[0], min(shots)) if formats and shots else None

    def _possible(self, data: EvaluationSet) -> tuple[list[Format], list[int]]:
        # The paper's boxes hold all objects together, so that it needs none told apart.
        formats = [f for f in self.formats if self.paper or f in data.reader.formats]
        return formats, [s for s in self.shots if s <= data.most_shots]
