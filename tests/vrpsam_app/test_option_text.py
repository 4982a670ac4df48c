from __future__ import annotations

import json

import pytest

from vrpsam_app.errors import ConfigError
from vrpsam_app.objects.instances import ObjectOptions
from vrpsam_app.objects.linking import LinkOptions

EVERYTHING = ObjectOptions(
    method="intensity",
    diagonal=True,
    diameter=12.5,
    min_area=3,
    max_area=300,
    clear_border=True,
    min_score=0.25,
    prompts=True,
    unit="µm",
)
LINKS = LinkOptions(rule="unique", min_overlap=0.5, gaps=2, through_necks=True)


@pytest.mark.parametrize("options", [ObjectOptions(), EVERYTHING, LinkOptions(), LINKS])
def test_text_and_json_give_equal_options(options):
    kind = type(options)
    assert kind.from_text(str(options)) == options
    assert kind.from_json(json.loads(json.dumps(options.to_json()))) == options


def test_text_is_short_and_can_be_typed_in_any_order():
    assert str(ObjectOptions(min_area=20)) == "distance,min-area=20"
    assert ObjectOptions.from_text(" min-area = 20 , distance ") == ObjectOptions(min_area=20)
    assert ObjectOptions.from_text("") == ObjectOptions()
    assert LinkOptions.from_text("gaps=1") == LinkOptions(gaps=1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("watershed", "'watershed' in 'watershed' is unknown: expected components, distance"),
        ("method=distance", "'method=distance' .* is unknown"),
        ("distance,components", "says method twice"),
        ("clear-border=yes", "has a value: the switch stands alone"),
        ("diameter", "'diameter' has no value"),
        ("diameter=wide", "'diameter=wide' has no number"),
        ("diameter=0", "Diameter is 0.0: expected a number from 1e-09"),
        ("diameter=nan", "Diameter is nan"),
        ("min-area=9,max-area=3", "Max-area is 3.0: expected a number from 9"),
        ("min-score=2", "Min-score is 2.0: expected a number from 0 to 1"),
        ("unit=kg", "Unit is 'kg': expected px, or a length"),
    ],
)
def test_text_that_cannot_be_read_is_named(text, words):
    with pytest.raises(ConfigError, match=words):
        ObjectOptions.from_text(text)


@pytest.mark.parametrize("other", [None, 3])
def test_what_is_no_text_is_named(other):
    with pytest.raises(ConfigError, match=f"There is {other} in the place of LinkOptions"):
        LinkOptions.from_text(other)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"method": "magic"}, "Method is 'magic': expected components, distance"),
        ({"diagonal": 1}, "Diagonal is 1: expected true or false"),
        ({"diameter": "12"}, "Diameter is '12': expected a number"),
        ({"diameter": True}, "Diameter is True: expected a number"),
        ({"min_score": None}, "expected a number, 0 for no limit"),
    ],
)
def test_options_are_checked_when_they_are_made(changes, words):
    with pytest.raises(ConfigError, match=words):
        ObjectOptions(**changes)


def test_whole_numbers_stay_whole():
    assert LinkOptions(gaps=2.0).gaps == 2
    with pytest.raises(ConfigError, match=r"Gaps is 1\.5: expected a whole number from 0 to 1000"):
        LinkOptions(gaps=1.5)
    with pytest.raises(ConfigError, match="Min-overlap or gaps is None"):
        LinkOptions(gaps=None)


@pytest.mark.parametrize("data", [3, {"methods": "distance"}, {"method": "x"}, [1]])
def test_json_that_is_none_of_ours_is_named(data):
    with pytest.raises(ConfigError, match=r"sections\.objects"):
        ObjectOptions.from_json(data, "sections.objects")
