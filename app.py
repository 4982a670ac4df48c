"""Entry point of the Space: open the web app with the embedded model."""

from __future__ import annotations

import os

# Before anything that might report: nothing about visitors is told to anyone.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

try:  # before torch is imported, as ZeroGPU asks for
    from spaces import GPU as ON_GPU
except ImportError:  # not on a Space that lends graphics cards
    ON_GPU = None

from vrpsam_app.web.launch import launch_app

if __name__ == "__main__":
    launch_app(on_gpu=ON_GPU)
