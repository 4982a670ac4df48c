"""A web app on a segmenter that looks for a colour, its pictures, and a browser to open it in."""

from __future__ import annotations

import os
import runpy
import shutil
import socket
import subprocess
import sys
import time
import types
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from vrpsam_app.web.session import Session
    from vrpsam_app.web.visitor import Visitor

ROOT = Path(__file__).resolve().parents[3]
SERVER = Path(__file__).with_name("colour_server.py")
RED, BLUE, GREY = (210, 40, 40), (40, 60, 200), (110, 110, 110)
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Without these Chromium calls home on its own, which is not what is tested.
BROWSER_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def discs(
    hw: tuple[int, int], places: Sequence[tuple[int, int, tuple[int, int, int]]], radius: int = 15
) -> NDArray[np.uint8]:
    """Draw discs of given (row, column, colour) on grey."""
    image = np.full((*hw, 3), GREY, np.uint8)
    rows, columns = np.ogrid[: hw[0], : hw[1]]
    for row, column, colour in places:
        image[(rows + 0.5 - row) ** 2 + (columns + 0.5 - column) ** 2 <= radius**2] = colour
    return image


@pytest.fixture
def pictures(tmp_path: Path) -> dict[str, Path]:
    """Files: a reference with a red and a blue disc, two targets with both, one with blue only."""
    scenes = {
        "reference": discs((120, 200), [(60, 50, RED), (60, 150, BLUE)]),
        "first": discs((120, 200), [(30, 40, RED), (80, 120, RED), (40, 160, BLUE)]),
        "second": discs((150, 160), [(100, 100, RED), (40, 40, BLUE)]),
        "without": discs((100, 140), [(50, 70, BLUE)]),
    }
    paths = {name: tmp_path / f"{name}.png" for name in scenes}
    for name, image in scenes.items():
        Image.fromarray(image).save(paths[name])
    return paths


@pytest.fixture
def visitor(pictures: dict[str, Path]) -> Iterator[Visitor]:
    """Who brought the reference and the three targets."""
    from vrpsam_app.web import collection
    from vrpsam_app.web.visitor import Visitor

    visitor = Visitor()
    assert collection.add_marked(visitor, [pictures["reference"]]) == []
    targets = [pictures[name] for name in ("first", "second", "without")]
    assert collection.add_targets(visitor, targets) == []
    collection.remove_target(visitor, visitor.session.marked[0].id)
    yield visitor
    visitor.close()


@pytest.fixture
def session(visitor: Visitor) -> Session:
    """What that visitor has on the page."""
    return visitor.session


@pytest.fixture
def canvas_with(session: Session):
    """What the browser sends when these marks are on the session's first marked picture."""

    def canvas(*marks: dict[str, Any], label: str = "object", exhaustive: bool = False) -> Any:
        reference = {
            "image": session.marked[0].id,
            "label": label,
            "exhaustive": exhaustive,
            "marks": list(marks),
        }
        return {"shown": session.marked[0].id, "label": label, "references": [reference]}

    return canvas


@pytest.fixture
def asked(session: Session, canvas_with):
    """What the page asks when these marks are on the canvas and this is said on the board."""
    from vrpsam_app.web.marked import Asked, read_page

    def ask(*marks: dict[str, Any], canvas: Any = None, **board: Any) -> Asked:
        return read_page(session, canvas or canvas_with(*marks), board)

    return ask


@pytest.fixture
def line() -> Any:
    from vrpsam_app.web.line import Line

    return Line()


@pytest.fixture
def token() -> Any:
    from vrpsam_app.progress import CancelToken

    return CancelToken()


@pytest.fixture
def inquiry(session: Session, segmenter: Any, line: Any, token: Any):
    """The visitor's question, or that of another one, to the segmenter or another one."""
    from vrpsam_app.web.inquiry import Inquiry
    from vrpsam_app.web.session import Answers

    def begin(asked: Any, answers: Any = None, of: Any = None, by: Any = None) -> Inquiry:
        return Inquiry(by or segmenter, line, of or session, asked, answers or Answers(), token)

    return begin


@pytest.fixture
def search(inquiry: Any):
    """Look in all targets, and return the last step."""
    from vrpsam_app.web import callbacks

    def run(asked: Any, answers: Any = None, of: Any = None) -> Any:
        steps = callbacks.find(inquiry(asked, answers, of=of))
        return list(steps)[-1]

    return run


@pytest.fixture
def zipped(inquiry: Any):
    """Save everything, and return the path of the zip file."""
    from vrpsam_app.web import downloads

    def save(asked: Any, answers: Any = None, of: Any = None, by: Any = None) -> Path:
        steps = downloads.save_archive(inquiry(asked, answers, of=of, by=by))
        *_, last = steps
        assert last.failed == ()
        return last.path

    return save


@pytest.fixture
def red_box() -> dict[str, Any]:
    """A box that fits the reference's red disc."""
    return {"type": "box", "xyxy": [40, 50, 60, 70], "positive": True}


@pytest.fixture
def segmenter() -> Any:
    """The segmenter of the served app, here in this process."""
    return runpy.run_path(str(SERVER))["NearestColour"]()


@pytest.fixture(scope="session")
def load() -> Any:
    """The program that lets many visitors ask at once."""
    names = runpy.run_path(str(ROOT / "benchmarks" / "web_load.py"))
    return types.SimpleNamespace(**names)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the app, served for all tests of the page and of the endpoint."""
    yield from served_by(tmp_path_factory, SERVER)


class Served(str):
    """Address of a served app, with the number of its process and its folder for files."""

    pid: int
    folder: Path

    def __new__(cls, url: str, pid: int, folder: Path) -> Served:
        made = super().__new__(cls, url)
        made.pid, made.folder = pid, folder
        return made


def served_by(factory: pytest.TempPathFactory, program: Path | str) -> Iterator[str]:
    """Serve an app in a process of its own, and see that it leaves nothing behind.

    `program` is a file that takes the port, or the line that imports ``launch_app``.
    """
    folder = factory.mktemp("served")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = os.pathsep.join([str(ROOT), *sys.path])
    environment = os.environ | {"PYTHONPATH": path, "TMPDIR": str(folder)}
    url = f"http://127.0.0.1:{port}/"
    words = [str(program), str(port)]
    if isinstance(program, str):
        words = ["-c", f"{program}; launch_app(port={port}, quiet=True)"]
    with subprocess.Popen([sys.executable, *words], env=environment) as process:
        try:
            wait_until_served(url, process)
            yield Served(url, process.pid, folder)
        finally:
            process.terminate()
    assert list(folder.glob("vrpsam-web-*")) == [], "visitors' files outlived the server"


def wait_until_served(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server ended before it answered"
        try:
            urllib.request.urlopen(url).close()
        except urllib.error.URLError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError("the server did not answer within a minute")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    paths = [path for name in BROWSERS if (path := shutil.which(name))]
    assert paths, f"no browser found, install one of {', '.join(BROWSERS)} (Debian: chromium)"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=paths[0], args=list(BROWSER_ARGUMENTS))
        yield browser
        browser.close()
