from __future__ import annotations

import pytest

from vrpsam_app.errors import ConfigError
from vrpsam_app.video.options import MemoryOptions


def test_text_and_json_come_back():
    options = MemoryOptions.from_text("kind,size=5,every=2,agreement=0.5,axis=z,start=4")
    assert options == MemoryOptions("kind", 5, 2, 0.5, "z", 4)
    assert MemoryOptions.from_text(str(options)) == options
    assert MemoryOptions.from_json(options.to_json()) == options
    assert MemoryOptions.from_text("") == MemoryOptions()


@pytest.mark.parametrize(
    "text",
    ["other", "size=-1", "every=0", "agreement=1.5", "size=1.5", "start=-1", "size=1,size=2"],
)
def test_senseless_options_are_refused(text: str):
    with pytest.raises(ConfigError):
        MemoryOptions.from_text(text)


def test_an_axis_is_named_by_text():
    with pytest.raises(ConfigError, match="Axis is 3"):
        MemoryOptions(axis=3)
    with pytest.raises(ConfigError, match="memory: Axis is"):
        MemoryOptions.from_json({"axis": ["t"]}, "memory")
