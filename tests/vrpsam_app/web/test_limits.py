from __future__ import annotations

import pytest

from vrpsam_app.errors import ConfigError
from vrpsam_app.web.limits import MEGAPIXELS_VARIABLE, limits, on_space


def test_strangers_may_bring_less(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("SPACE_ID", raising=False)
    at_home = limits()
    assert not on_space()
    assert at_home.max_pixels == 100_000_000
    monkeypatch.setenv("SPACE_ID", "someone/space")
    assert on_space()
    assert limits().session_bytes < at_home.session_bytes
    assert limits().pictures < at_home.pictures
    assert limits().max_pixels == at_home.max_pixels


@pytest.mark.parametrize("text", ["many", "0", "-3", "nan", "1e9", ""])
def test_the_limit_has_to_be_a_sensible_number(monkeypatch: pytest.MonkeyPatch, text: str):
    monkeypatch.setenv(MEGAPIXELS_VARIABLE, text)
    with pytest.raises(ConfigError, match=MEGAPIXELS_VARIABLE):
        limits()


def test_the_limit_can_be_chosen(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(MEGAPIXELS_VARIABLE, "12.5")
    assert limits().max_pixels == 12_500_000
