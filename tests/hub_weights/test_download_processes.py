"""Processes of their own: they find the Hub by HF_ENDPOINT, and share one cache."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hub_weights import cache_folder

ROOT = Path(__file__).resolve().parents[2]
REPO = "somebody/nuclei"
FILE = "model.safetensors"
WEIGHTS = bytes(range(256)) * 400


def test_two_processes_and_one_that_was_killed(hub: Any) -> None:
    hub.put(REPO, {FILE: WEIGHTS})
    script = (
        "import sys, hub_weights; "
        f"found = hub_weights.download_file({REPO!r}, {FILE!r}); "
        "print(found.path, found.sha256)"
    )
    environment = {
        **{k: v for k, v in os.environ.items() if k != "HF_HUB_OFFLINE"},
        "HF_ENDPOINT": hub.address,
        "HF_HUB_CACHE": str(cache_folder()),
        "HF_HUB_DISABLE_XET": "1",
        "PYTHONPATH": str(ROOT),
    }

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", script],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    hub.faults.append(hub.Fault("store", method="GET", pause=60.0))
    killed = start()
    hub.wait_for("/store/")
    killed.kill()
    killed.communicate()
    hub.faults[:] = [hub.Fault("store", times=9, method="GET", pause=0.02)]
    both = [start(), start()]
    for process in both:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        path, sha256 = out.split()
        assert Path(path).read_bytes() == WEIGHTS
        assert sha256 == hashlib.sha256(WEIGHTS).hexdigest()
