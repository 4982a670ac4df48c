from __future__ import annotations

import pytest

from vrpsam_app.errors import ConfigError
from vrpsam_app.evaluation.method_words import MethodWords


def test_a_name_alone_is_asked_everything():
    assert MethodWords.parse("vrp_sam") == MethodWords("vrp_sam", None, None)


def test_formats_and_shots_narrow_it():
    words = MethodWords.parse("pixel_forest,mask,click,shots=1,shots=5")
    assert words == MethodWords("pixel_forest", ("mask", "click"), (1, 5))


def test_unknown_methods_are_named():
    with pytest.raises(ConfigError, match=r"--method 'forest,click': expected one of .*vrp_sam"):
        MethodWords.parse("forest,click")


@pytest.mark.parametrize("word", ["clicks", "shots=0", "shots=", "shots=two", ""])
def test_unknown_words_are_named(word: str):
    with pytest.raises(ConfigError, match=f"--method 'pixel_forest,{word}'"):
        MethodWords.parse(f"pixel_forest,{word}")
