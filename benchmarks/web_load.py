"""Twenty people on one web app: how many answers, how long the wait, does the memory grow.

Run ``python benchmarks/web_load.py`` on a quiet machine (five minutes on two cores, and a little).
Each visitor marks another coin as soon as the last mark was answered, and every fifth time looks in
all three pictures. The app is the real one, on the embedded model, in a process of its own, and
visitors speak to it as the page does.

While it answers, its memory goes up and down by tens of megabytes with what is being computed. What
it keeps is seen when it rests, so everybody pauses after each of five rounds. What it may keep of
marks is limited; one visitor who marks very much fills that before the first round. Budgets:

- 200 answers in five minutes, and every visitor is served
- 95 of 100 waits end within 40 seconds, and whoever waits longer than two is told the place
- less than 10 % are turned away
- after the first round the memory of the resting server grows by less than 1 MB a minute of load
- answers are equal, byte by byte, to those that one visitor alone gets
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("OMP_NUM_THREADS", "2")

ANSWERS_IN_FIVE_MINUTES, WAIT_SECONDS, TURNED_AWAY, GROWTH_MB = 200, 40.0, 0.10, 1.0
TOLD_AFTER_SECONDS = 2.0
# The server gives free memory back five seconds after its last answer.
REST_SECONDS = 8.0
# What it then has differs by about 3 MB (standard deviation) from rest to rest, so that less than
# the five minutes cannot tell 1 MB a minute from none.
REST_DIFFERS_MB = 8.0
ROUNDS = 5
FIND_EVERY = 5
# Two questions of so many references: more than the server keeps of them.
MANY_MARKS = 110
# Coins of the plate that the page opens with: column and row of the middle, in pixels.
COINS = ((204, 125), (150, 120), (260, 122), (100, 128), (310, 120), (205, 180), (150, 185))


@dataclass(slots=True)
class Wait:
    """One question of one visitor, and what came of it."""

    visitor: int
    marks: list[dict[str, Any]]
    find: bool
    seconds: float = 0.0
    told: bool = False
    turned_away: bool = False
    levels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rest:
    """The server's memory while nobody asked."""

    at: float
    """Seconds since the first round began."""
    load: float
    """Seconds in which everybody asked, until then."""
    megabytes: float


@dataclass
class Load:
    """What was seen while everybody asked."""

    seconds: float
    waits: list[Wait] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)
    rests: list[Rest] = field(default_factory=list)
    unequal: int = 0
    compared: int = 0


class Visitor:
    """Speaks to the app as the page does.

    Parameters
    ----------
    url : of the app, with a slash at the end
    number : of the visitor; draws its own marks
    """

    def __init__(self, url: str, number: int) -> None:
        self.number = number
        self.turns = 0
        self._api = f"{url}gradio_api/"
        self._name = secrets.token_hex(5)
        self._rng = np.random.default_rng(number)
        config = _json(f"{url}config")
        self._functions = {d["api_name"]: d["id"] for d in config["dependencies"]}
        values = {c["props"].get("elem_id"): c["props"].get("props") for c in config["components"]}
        self._picture = values["canvas"]["pictures"][0]["id"]
        self._targets = [picture["id"] for picture in values["board"]["pictures"]]
        list(self._messages("start_visit", []))

    def ask(self, marks: list[dict[str, Any]], *, find: bool) -> Wait:
        """Mark, or press Find, and wait for the answer."""
        return self._ask([marks], find=find)

    def mark_very_much(self) -> None:
        """Ask by as many references as hardly anybody has."""
        for _ in range(2):
            self._ask([self.draw_marks() for _ in range(MANY_MARKS)], find=False)

    def _ask(self, marked: list[list[dict[str, Any]]], *, find: bool) -> Wait:
        wait = Wait(self.number, marked[0], find)
        same = {"image": self._picture, "label": "coin", "exhaustive": False}
        references = [{**same, "marks": marks} for marks in marked]
        canvas = {"shown": self._picture, "label": "coin", "references": references}
        board = {"shown": self._targets[0], "threshold": 0.5, "min_area": 0}
        began = time.monotonic()
        function = "show_findings" if find else "show_live"
        found: dict[str, str] = {}
        for message in self._messages(function, [None, canvas, board]):
            text = json.dumps(message)
            wait.told |= "before you" in text or (message.get("rank") or 0) > 0
            if message["msg"] == "process_completed" and not message["success"]:
                wait.turned_away = True
            found |= _levels_in(message)
        wait.seconds = time.monotonic() - began
        wait.levels = tuple(found[key] for key in sorted(found))
        return wait

    def draw_marks(self) -> list[dict[str, Any]]:
        """Draw a loose box around one of the coins."""
        column, row = COINS[self._rng.integers(len(COINS))]
        left, top, right, bottom = (int(n) for n in self._rng.integers(20, 27, 4))
        return [
            {
                "type": "box",
                "xyxy": [column - left, row - top, column + right, row + bottom],
                "positive": True,
            }
        ]

    def _messages(self, function: str, data: list[Any]) -> Iterator[dict[str, Any]]:
        """Send an event and yield what the app says until it is done."""
        body = {
            "data": data,
            "fn_index": self._functions[function],
            "session_hash": self._name,
            "trigger_id": None,
            "event_data": None,
        }
        event = _json(f"{self._api}queue/join", body)["event_id"]
        stream = f"{self._api}queue/data?session_hash={self._name}"
        with urllib.request.urlopen(stream, timeout=600) as lines:
            for line in lines:
                if line.startswith(b"data:"):
                    message = json.loads(line[5:])
                    if message.get("event_id") == event:
                        yield message
                    if message["msg"] == "close_stream":
                        return


def run_load(
    url: str,
    process: int,
    *,
    visitors: int,
    seconds: float,
    rounds: int = ROUNDS,
    compare: int = 20,
) -> Load:
    """Let visitors ask for a while, then ask some of it again, alone.

    Parameters
    ----------
    url : of the app
    process : id of its process, whose memory is watched
    visitors, seconds : how many ask, for how long
    rounds : equal parts of that time, after each of which everybody rests; 1 leaves out the rests
    compare : answers that are compared with those of one visitor alone
    """
    load = Load(seconds)
    everybody = [Visitor(url, number) for number in range(visitors)]
    everybody[0].ask(everybody[0].draw_marks(), find=True)  # the model is loaded by now
    if rounds > 1:
        everybody[0].mark_very_much()
    began, asked_for = time.monotonic(), 0.0
    for _ in range(rounds):
        round_began = time.monotonic()
        threads = _ask_until(round_began + seconds / rounds, everybody, load)
        while any(thread.is_alive() for thread in threads):
            load.memory.append((time.monotonic() - began, _memory_mb(process)))
            threads[0].join(1.0)
            time.sleep(0.2)
        asked_for += time.monotonic() - round_began
        if rounds > 1:
            time.sleep(REST_SECONDS)
            load.rests.append(Rest(time.monotonic() - began, asked_for, _memory_mb(process)))
    alone = Visitor(url, visitors)
    answered = [wait for wait in load.waits if wait.levels]
    step = max(1, len(answered) // compare)
    for wait in answered[::step]:
        again = alone.ask(wait.marks, find=wait.find)
        load.compared += 1
        load.unequal += again.levels != wait.levels
    return load


def _ask_until(end: float, everybody: list[Visitor], load: Load) -> list[threading.Thread]:
    """Let every visitor ask again and again, in a thread each."""
    kept = threading.Lock()

    def visit(visitor: Visitor) -> None:
        while time.monotonic() < end:
            visitor.turns += 1
            wait = visitor.ask(visitor.draw_marks(), find=visitor.turns % FIND_EVERY == 0)
            with kept:
                load.waits.append(wait)

    threads = [threading.Thread(target=visit, args=(v,), daemon=True) for v in everybody]
    for thread in threads:
        thread.start()
    return threads


def figures_of(load: Load, visitors: int) -> dict[str, float]:
    """Return what the budgets are about."""
    answered = [wait for wait in load.waits if not wait.turned_away]
    seconds = sorted(wait.seconds for wait in answered) or [float("inf")]
    long = [wait for wait in answered if wait.seconds > TOLD_AFTER_SECONDS]
    return {
        "answers": len(answered),
        "visitors_served": len({wait.visitor for wait in answered}),
        "visitors": visitors,
        "wait_median_s": statistics.median(seconds),
        "wait_p95_s": seconds[min(len(seconds) - 1, int(0.95 * len(seconds)))],
        "told_their_place": sum(wait.told for wait in long) / len(long) if long else 1.0,
        "turned_away": 1 - len(answered) / len(load.waits) if load.waits else 1.0,
        "growth_mb_per_minute": growth(load.rests),
        "compared": load.compared,
        "unequal": load.unequal,
    }


def growth(rests: list[Rest]) -> float:
    """Return megabytes a minute of load, by a straight line through several rests.

    Of fewer than two it is not a number, which is within no budget.
    """
    if len(rests) < 2:
        return float("nan")
    minutes = [rest.load / 60 for rest in rests]
    return float(np.polyfit(minutes, [rest.megabytes for rest in rests], 1)[0])


def verdicts(figures: dict[str, float], seconds: float) -> dict[str, bool]:
    """Return which budgets are kept; a short run allows for what rests differ by themselves."""
    unsure = 0.0 if seconds >= 300 else REST_DIFFERS_MB * 60 / seconds
    return {
        "answers": figures["answers"] >= ANSWERS_IN_FIVE_MINUTES * seconds / 300,
        "visitors_served": figures["visitors_served"] == figures["visitors"],
        "wait_p95_s": figures["wait_p95_s"] <= WAIT_SECONDS,
        "told_their_place": figures["told_their_place"] == 1.0,
        "turned_away": figures["turned_away"] < TURNED_AWAY,
        "growth_mb_per_minute": figures["growth_mb_per_minute"] < GROWTH_MB + unsure,
        "unequal": figures["unequal"] == 0 and figures["compared"] > 0,
    }


def draw_memory(load: Load, path: Path) -> None:
    """Draw the server's memory over time as a PNG."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    minutes, megabytes = np.array([(at / 60, mb) for at, mb in load.memory]).T
    figure, axes = pyplot.subplots(figsize=(7, 3.2), layout="constrained")
    axes.plot(minutes, megabytes, color="#0a6aa1")
    if load.rests:
        at_rest = np.array([(rest.at / 60, rest.megabytes) for rest in load.rests]).T
        axes.plot(*at_rest, "o", color="#b4540a", label="at rest")
        axes.legend(frameon=False, loc="lower right")
    axes.set(xlabel="minutes", ylabel="MB of the server", ylim=(0, None))
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def main() -> int:
    """Serve, load, print a table, and optionally write JSON and a plot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=300.0, help="default: 300")
    parser.add_argument("--visitors", type=int, default=20, help="default: 20")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    parser.add_argument("--plot", type=Path, help="draw the memory there, as PNG")
    options = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = f"from vrpsam_app.web.launch import launch_app; launch_app(port={port}, quiet=True)"
    url = f"http://127.0.0.1:{port}/"
    with subprocess.Popen([sys.executable, "-c", program]) as server:
        try:
            _wait_for(url, server)
            load = run_load(url, server.pid, visitors=options.visitors, seconds=options.seconds)
        finally:
            server.terminate()
    figures = figures_of(load, options.visitors)
    within = verdicts(figures, options.seconds)
    for name, value in figures.items():
        verdict = {True: "ok", False: "OVER", None: ""}[within.get(name)]
        print(f"{name:<22} {value:>10.2f}  {verdict}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    if options.plot:
        draw_memory(load, options.plot)
    return 0 if all(within.values()) else 1


def _levels_in(message: dict[str, Any]) -> dict[str, str]:
    """Return the probability maps in a message by target, wherever they stand in it."""
    found: dict[str, str] = {}

    def look(value: Any) -> None:
        if isinstance(value, dict):
            if value.get("state") == "done" and value.get("classes"):
                found[value["id"]] = value["classes"][0]["levels"]
            for inner in value.values():
                look(inner)
        elif isinstance(value, list):
            for inner in value:
                look(inner)

    look(message.get("output", {}))
    return found


def _json(url: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


def _memory_mb(process: int) -> float:
    """Return the resident memory of a process, from Linux' own account of it."""
    pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(1200):
        if server.poll() is not None:
            raise SystemExit("the server ended before it answered")
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the server did not answer within two minutes")


if __name__ == "__main__":
    sys.exit(main())
