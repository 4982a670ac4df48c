"""How all benchmarks measure: side by side in one run, medians of several, one form of report.

Calls that are compared are made in turn, so that whatever else a machine does meets all of them;
a ratio is the median of the ratios of calls that were made one after the other.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

REPEATS = 5


@dataclass(frozen=True)
class Times:
    """Seconds of the same call, in the order in which it was made."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The figure that is reported."""
        return statistics.median(self.seconds)

    def over(self, other: Times) -> Times:
        """Divide each time by that of the other call which was made beside it."""
        pairs = zip(self.seconds, other.seconds, strict=True)
        return Times(tuple(a / b for a, b in pairs))

    def plus(self, other: Times) -> Times:
        """Add the times of calls that belong together."""
        pairs = zip(self.seconds, other.seconds, strict=True)
        return Times(tuple(a + b for a, b in pairs))

    def times(self, factor: float) -> Times:
        """Multiply each time."""
        return Times(tuple(factor * a for a in self.seconds))


@dataclass(frozen=True)
class Row:
    """One figure of a table.

    Attributes
    ----------
    what : was measured
    value : the median
    unit : s, x for a ratio, MB, or another
    low, high : the least and the most of the repeats
    limit : what it should be, such as "<= 0.3"; empty if nothing was promised
    ok : whether it is
    """

    what: str
    value: float
    unit: str
    low: float
    high: float
    limit: str = ""
    ok: bool = True


@dataclass(frozen=True)
class Curve:
    """One plot: lines over a common axis.

    Attributes
    ----------
    title, x_label, y_label : words
    lines : name of each line to its points, [[x, y], ...]
    logarithmic : whether both axes are
    """

    title: str
    x_label: str
    y_label: str
    lines: Mapping[str, Sequence[Sequence[float]]]
    logarithmic: bool = False


@dataclass
class Report:
    """What one benchmark found.

    Attributes
    ----------
    name : of its file
    title, note : of its section
    judged : whether limits are looked at; the smallest form of a benchmark says nothing of them
    """

    name: str
    title: str
    note: str = ""
    judged: bool = True
    rows: list[Row] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)

    def time(self, what: str, times: Times, at_most: float | None = None) -> None:
        """Add seconds."""
        self._add(what, times, "s", at_most, None)

    def ratio(
        self,
        what: str,
        times: Times,
        beside: Times,
        at_most: float | None = None,
        at_least: float | None = None,
    ) -> None:
        """Add how many times longer `times` are than those `beside` them."""
        self._add(what, times.over(beside), "x", at_most, at_least)

    def value(
        self,
        what: str,
        value: float,
        unit: str,
        at_most: float | None = None,
        at_least: float | None = None,
    ) -> None:
        """Add a figure that was taken once."""
        self._add(what, Times((float(value),)), unit, at_most, at_least)

    def _add(
        self, what: str, times: Times, unit: str, at_most: float | None, at_least: float | None
    ) -> None:
        value, limits, ok = times.median, [], True
        if not self.judged:
            at_most = at_least = None
        if at_most is not None:
            limits.append(f"<= {at_most:g}")
            ok = value <= at_most
        if at_least is not None:
            limits.append(f">= {at_least:g}")
            ok = ok and value >= at_least
        row = Row(what, value, unit, min(times.seconds), max(times.seconds), ", ".join(limits), ok)
        self.rows.append(row)
        print(in_words(row), flush=True)

    def to_json(self, options: argparse.Namespace) -> dict[str, Any]:
        """Return plain values, with the machine."""
        return {
            "name": self.name,
            "title": self.title,
            "note": self.note,
            "command": f"python benchmarks/{self.name}.py{' --full' * bool(options.full)}",
            "machine": machine(options.device),
            "repeats": options.repeats,
            "rows": [asdict(row) for row in self.rows],
            "curves": [asdict(curve) for curve in self.curves],
        }


def in_words(row: Row) -> str:
    """Return one line of the table."""
    spread = "" if row.low == row.high else f"  ({row.low:.3g} to {row.high:.3g})"
    verdict = f"  {row.limit} {'ok' if row.ok else 'MISSED'}" if row.limit else ""
    return f"{row.what:<64} {row.value:9.3f} {row.unit}{spread}{verdict}"


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with what all benchmarks have in common."""
    made = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    made.add_argument("--full", action="store_true", help="larger and longer, for a quiet evening")
    made.add_argument("--small", action="store_true", help="see in seconds that it works, no more")
    made.add_argument("--device", default="cpu", help="cpu, cuda ... (default: cpu)")
    made.add_argument("--repeats", type=int, default=REPEATS, help="of each call (default: 5)")
    made.add_argument("--threads", type=int, default=int(os.environ["OMP_NUM_THREADS"]))
    made.add_argument("--json", type=Path, help="write the figures there")
    made.add_argument("--plot", type=Path, help="draw them there (needs matplotlib)")
    made.add_argument("--page", action="store_true", help="put them into docs/speed.md")
    made.add_argument("--part", help=argparse.SUPPRESS)  # what a process of its own does
    return made


def start(options: argparse.Namespace) -> None:
    """Set threads; torch is imported here and not before."""
    import torch

    torch.set_num_threads(options.threads)
    if options.small:
        options.repeats = 1


def finish(report: Report, options: argparse.Namespace) -> int:
    """Write what was asked for; return 1 if a limit was missed."""
    found = report.to_json(options)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if options.plot:
        from drawing import draw

        draw(found, options.plot)
    if options.page:
        from speed_page import keep

        keep(found)
    return int(not all(row.ok for row in report.rows))


def side_by_side(
    calls: Mapping[str, Callable[[], object]], repeats: int, *, device: str = "cpu", warm: int = 1
) -> dict[str, Times]:
    """Time calls in turn.

    Parameters
    ----------
    calls : by name
    repeats : of each
    device : waited for before the clock is read
    warm : calls of each that do not count
    """
    wait = _wait_for(device)
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(warm + repeats):
        for name, call in calls.items():
            gc.collect()
            wait()
            begun = time.perf_counter()
            call()
            wait()
            if turn >= warm:
                seconds[name].append(time.perf_counter() - begun)
    return {name: Times(tuple(found)) for name, found in seconds.items()}


def _wait_for(device: str) -> Callable[[], object]:
    if not device.startswith("cuda"):
        return lambda: None
    import torch

    return torch.cuda.synchronize


def timed(call: Callable[[], object]) -> float:
    """Return the seconds that one call takes."""
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def in_process(file: str, part: str, options: argparse.Namespace, *more: str) -> dict[str, Any]:
    """Run a part of a benchmark in a process of its own, whose memory is then its own, too."""
    command = [sys.executable, file, "--part", part, "--device", options.device]
    command += ["--repeats", str(options.repeats), "--threads", str(options.threads)]
    command += [f"--{name}" for name in ("full", "small") if getattr(options, name)]
    done = subprocess.run([*command, *more], stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def fresh(code: str, repeats: int) -> Times:
    """Time code in fresh interpreters, from their start to their end, or as the code prints it."""
    found = []
    for _ in range(repeats):
        begun = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True
        )
        elapsed = time.perf_counter() - begun
        printed = done.stdout.split()
        found.append(float(printed[-1]) if printed else elapsed)
    return Times(tuple(found))


def peak_mb() -> float:
    """Return the most memory that this process has had."""
    # What resource says would include the process that started this one.
    from vrpsam_app.evaluation.peak_memory import peak_memory

    return peak_memory() / 1e6


def machine(device: str) -> dict[str, Any]:
    """Return what the figures depend on besides the program."""
    import torch

    from vrpsam_app.environment import code_version, machine_name

    names = {"processor": machine_name(), "threads": torch.get_num_threads()}
    if device.startswith("cuda"):
        names["card"] = torch.cuda.get_device_name()
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    return {**names, **versions, "code": code_version()}
