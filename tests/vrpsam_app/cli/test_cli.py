"""``vrpsam`` itself: help, version, exit codes."""

from __future__ import annotations

import argparse
import subprocess
import sys

import pytest

import vrpsam_app
from vrpsam_app.cli import COMMANDS


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


def test_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "vrpsam_app.cli", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"vrpsam-app {vrpsam_app.__version__}\n"
