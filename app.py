"""Entry point of the Space: open the web app with the embedded model."""

from __future__ import annotations

from vrpsam_app.web.launch import launch_app

if __name__ == "__main__":
    launch_app()
