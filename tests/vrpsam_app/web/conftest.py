"""A web app on a segmenter that looks for a colour, its pictures, and a browser to open it in."""

from __future__ import annotations

import os
import runpy
import shutil
import socket
import subprocess
import sys
import time
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
def session(pictures: dict[str, Path]) -> Iterator[Session]:
    """A visitor who brought the reference and the three targets."""
    from vrpsam_app.web import collection
    from vrpsam_app.web.session import close_session, new_session

    session = collection.choose_reference(new_session(), pictures["reference"])
    targets = [pictures[name] for name in ("first", "second", "without")]
    session, complaints = collection.add_targets(session, targets)
    session = collection.remove_target(session, session.reference.id)
    assert complaints == []
    yield session
    close_session(session)


@pytest.fixture
def canvas_with(session: Session):
    """What the browser sends when these marks are on the session's reference."""

    def canvas(*marks: dict[str, Any]) -> dict[str, Any]:
        return {"image": session.reference.id, "marks": list(marks)}

    return canvas


@pytest.fixture
def red_box() -> dict[str, Any]:
    """A box that fits the reference's red disc."""
    return {"type": "box", "xyxy": [40, 50, 60, 70], "positive": True}


@pytest.fixture
def segmenter() -> Any:
    """The segmenter of the served app, here in this process."""
    return runpy.run_path(str(SERVER))["NearestColour"]()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the app, served for all tests of the page and of the endpoint."""
    folder = tmp_path_factory.mktemp("served")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = os.pathsep.join([str(ROOT), *sys.path])
    environment = os.environ | {"PYTHONPATH": path, "TMPDIR": str(folder)}
    url = f"http://127.0.0.1:{port}/"
    with subprocess.Popen([sys.executable, str(SERVER), str(port)], env=environment) as process:
        try:
            wait_until_served(url, process)
            yield url
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
