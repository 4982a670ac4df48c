"""What the plugin's page in napari's preferences says, with values that hold without one."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

PLUGIN = "vrpsam-app"
"""Name of the distribution, and so of the plugin."""


@dataclass(frozen=True, slots=True)
class Preferences:
    """The values of the page, one field for each property of the manifest.

    Attributes
    ----------
    device : auto, cpu, cuda or mps
    model : that is chosen when a viewer opens
    live : whether the visible slice is answered after each stroke
    cache_gb : size of the folder of embeddings, in GB; 0 keeps them in memory only
    memory_mb : results larger than this are written to disk, plane by plane
    folder : where large results go; empty takes ``vrpsam_results`` in the user's home
    """

    device: str = "auto"
    model: str = "embedded"
    live: bool = True
    cache_gb: float = 10.0
    memory_mb: float = 512.0
    folder: str = ""

    @classmethod
    def read(cls) -> Preferences:
        """Read the page; where napari has none, or a value is odd, the default holds."""
        try:
            from napari.settings import get_plugin_settings

            page = get_plugin_settings(PLUGIN)
        except (ImportError, KeyError, AttributeError, ValueError):
            return cls()
        found: dict[str, Any] = {}
        for field in fields(cls):
            for section in ("answers", "results"):
                value = getattr(getattr(page, section, None), field.name, None)
                if isinstance(value, type(field.default)) or (
                    isinstance(field.default, float) and isinstance(value, int)
                ):
                    found[field.name] = value
        return cls(**found)

    @property
    def results_folder(self) -> Path:
        """Where large results go."""
        return Path(self.folder).expanduser() if self.folder else Path.home() / "vrpsam_results"
