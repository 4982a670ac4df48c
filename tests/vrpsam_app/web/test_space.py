"""The folder that is pushed to a Space: complete, and it starts from nothing but itself."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import yaml
from gradio_client import Client, handle_file
from PIL import Image

from tests.vrpsam_app.web.conftest import wait_until_served
from vrpsam_app import __version__
from vrpsam_app.errors import ConfigError, OutputError
from vrpsam_app.image_files import read_mask
from vrpsam_app.web import space


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return space.stage_space(tmp_path_factory.mktemp("space") / "staged")


def test_front_matter_is_what_the_hub_reads(staged):
    text = (staged / "README.md").read_text(encoding="utf-8")
    _, matter, body = text.split("---\n", 2)
    fields = yaml.safe_load(matter)
    assert fields["sdk"] == "gradio"
    assert fields["sdk_version"].count(".") == 2
    assert fields["python_version"] == "3.12"
    assert (staged / fields["app_file"]).is_file()
    assert len(fields["short_description"]) <= 60
    assert __version__ in body


def test_requirements_leave_gradio_and_torch_to_the_space(staged):
    lines = (staged / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert lines[:2] == ["torch>=2.8,<2.12", "torchvision>=0.23,<0.27"]
    assert "spaces" in lines
    assert not [line for line in lines if line.startswith("gradio")]
    assert [line for line in lines if line.startswith("segment-anything")]
    assert len(lines) == len(set(lines))


def test_large_files_are_stored_apart(staged):
    text = (staged / ".gitattributes").read_text(encoding="utf-8")
    tracked = [line.split()[0] for line in text.splitlines()]
    large = {p.suffix for p in staged.rglob("*") if p.is_file() and p.stat().st_size > 10_000_000}
    assert {f"*{suffix}" for suffix in large} <= set(tracked)
    assert not list(staged.rglob("__pycache__"))


def test_it_is_replaced_only_if_it_was_made_here(staged, tmp_path):
    (staged / ".git").mkdir(exist_ok=True)
    (staged / "old.txt").write_text("x")
    space.stage_space(staged)
    assert not (staged / "old.txt").exists()
    assert (staged / ".git").is_dir()
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(OutputError, match="other files"):
        space.stage_space(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(ConfigError, match=r"pyproject\.toml"):
        space.stage_space(tmp_path / "new", source=tmp_path)


def test_it_starts_without_weights_on_the_hub_and_answers(staged, tmp_path):
    """From its own folder, with an empty cache and no network; in a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    home = tmp_path / "home"
    home.mkdir()
    environment = os.environ | {
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_SERVER_NAME": "127.0.0.1",
        "SPACE_ID": "someone/vrp-sam",
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(home),
        "HOME": str(home),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if "site-packages" in path),
    }
    Image.new("RGB", (64, 48), (110, 110, 110)).save(tmp_path / "grey.png")
    url = f"http://127.0.0.1:{port}/"
    with subprocess.Popen([sys.executable, "app.py"], cwd=staged, env=environment) as process:
        try:
            wait_until_served(url, process)
            with urllib.request.urlopen(url) as answer:
                page = answer.read().decode()
            client = Client(url, verbose=False, analytics_enabled=False)
            info = client.predict(api_name="/info")
            masks = client.predict(
                reference=handle_file(str(tmp_path / "grey.png")),
                marks=[{"type": "box", "xyxy": [10, 10, 30, 30]}],
                targets=[handle_file(str(tmp_path / "grey.png"))],
                api_name="/segment",
            )
        finally:
            process.terminate()
    assert "VRP-SAM" in page
    assert info["default"]["model"] == "embedded"
    assert info["limits"]["targets"] == 60
    assert read_mask(masks[0]).shape == (48, 64)
    assert not list(home.rglob("*.safetensors"))
