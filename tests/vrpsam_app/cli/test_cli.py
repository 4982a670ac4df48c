"""``vrpsam`` itself: help, version, exit codes."""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
from collections.abc import Iterator

import pytest

import vrpsam_app
from vrpsam_app.cli import COMMANDS, build_parser, main

NOTHING = (None, "", (), [], argparse.SUPPRESS)


def names_of_commands() -> list[str]:
    commands = argparse.ArgumentParser().add_subparsers()
    for module in COMMANDS:
        module.add_parser(commands)
    return list(commands.choices)


def test_version(vrpsam):
    outcome = vrpsam("--version")
    assert (outcome.code, outcome.out) == (0, f"vrpsam-app {vrpsam_app.__version__}\n")


def test_no_command_is_a_usage_error(vrpsam):
    outcome = vrpsam()
    assert outcome.code == 2
    assert "COMMAND" in outcome.err


def test_unknown_command_is_a_usage_error(vrpsam):
    assert vrpsam("segmnt").code == 2


@pytest.mark.parametrize("command", names_of_commands())
def test_every_command_has_help(vrpsam, command: str):
    outcome = vrpsam(command, "--help")
    assert outcome.code == 0
    assert f"vrpsam {command}" in outcome.out
    assert command in vrpsam("--help").out


def actions(
    parser: argparse.ArgumentParser, words: tuple[str, ...] = ()
) -> Iterator[tuple[str, argparse.Action]]:
    """Return everything that can be typed, with the words that stand before it."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield from actions(below, (*words, name))
        else:
            yield " ".join((*words, (*action.option_strings, action.dest)[0])), action


def test_everything_that_can_be_typed_is_explained():
    assert [words for words, action in actions(build_parser()) if not action.help] == []


def test_defaults_are_said_and_in_one_way():
    silent, otherwise = [], []
    for words, action in actions(build_parser()):
        said = "(default: " in action.help
        nothing = action.default is False or action.default in NOTHING
        if not (said or nothing):
            silent.append(words)
        if "default" in action.help and not said:
            otherwise.append(words)
    assert (silent, otherwise) == ([], [])


def test_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "vrpsam_app.cli", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"vrpsam-app {vrpsam_app.__version__}\n"


def test_letters_that_the_output_does_not_know_are_escaped(folder, monkeypatch):
    (folder / "a.png").rename("日本 ü.png")
    assert main(["batch", "init", "project", "日本 ü.png"]) == 0
    log = io.TextIOWrapper(io.BytesIO(), encoding="cp1252", write_through=True)
    monkeypatch.setattr(sys, "stdout", log)
    assert main(["batch", "list", "project"]) == 0
    assert log.buffer.getvalue().splitlines()[0] == b"\\u65e5\\u672c-\xfc: new"


@pytest.mark.parametrize("unbuffered", [[], ["-u"]])
def test_an_output_that_nobody_reads_ends_it_silently(unbuffered: list[str]):
    command = [sys.executable, *unbuffered, "-m", "vrpsam_app.cli", "methods"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        running.stdout.close()
        assert running.stderr.read() == b""
    assert running.returncode == 141
