from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from gradio.context import LocalContext

from vrpsam_app.web.replaced import KEPT, forget_replaced

OWN = dict.fromkeys(range(1, 6), "shown")


@pytest.fixture
def app():
    """What an event sees of its app; a real one leaves event loops to the garbage collector."""
    app: Any = SimpleNamespace(blocks=OWN, state_holder=SimpleNamespace(session_data={}))
    token = LocalContext.blocks.set(app)
    yield app
    LocalContext.blocks.reset(token)


def open_page(app: Any, name: str, answers: int) -> Any:
    """File a component for each answer under a number of its own, as Gradio does."""
    numbers = range(100, 100 + answers)
    page = SimpleNamespace(
        blocks_config=SimpleNamespace(blocks=OWN | dict.fromkeys(numbers, "answer")),
        config_values={number: {"props": {}} for number in (1, *numbers)},
    )
    app.state_holder.session_data[name] = page
    return page


def test_what_answers_replaced_is_let_go_on_every_page(app: Any) -> None:
    pages = [open_page(app, "one", 10), open_page(app, "two", KEPT + 1)]
    newest = [max(page.blocks_config.blocks) for page in pages]
    assert forget_replaced() == 10 - KEPT + 1
    for page, last in zip(pages, newest, strict=True):
        filed = page.blocks_config.blocks
        assert set(OWN) < set(filed)
        assert last in filed
        assert len(filed) == len(OWN) + KEPT
        assert set(page.config_values) == {1, *(set(filed) - set(OWN))}
    assert forget_replaced() == 0


def test_components_of_the_page_stay(app: Any) -> None:
    page = open_page(app, "one", 0)
    assert forget_replaced() == 0
    assert page.blocks_config.blocks == OWN


def test_outside_an_event_there_is_nothing_to_do() -> None:
    assert forget_replaced() == 0
