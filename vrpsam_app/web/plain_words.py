"""Errors of ours as sentences on the page, and the line in which the page speaks."""

from __future__ import annotations

import functools
import html
import inspect
import logging
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from vrpsam_app.errors import Cancelled, VRPSAMError
from vrpsam_app.web.pictures import without_folders

_log = logging.getLogger(__name__)


def status_line(words: str) -> str:
    """Return the line under the button, announced by screen readers."""
    return f'<p role="status">{html.escape(words)}</p>'


def for_visitors(sentence: str) -> str:
    """Return a sentence as HTML, without the folders of this computer."""
    return html.escape(without_folders(sentence, get_upload_folder()), quote=False)


def in_plain_words(function: Callable[..., Any]) -> Callable[..., Any]:
    """Show the sentence of an error of ours to the person, and log where it came from.

    Work that was stopped ends without a word: whoever stopped it knows.
    """

    def shown(error: VRPSAMError) -> gr.Error:
        _log.info("Shown to the visitor: %s", error, exc_info=error)
        return gr.Error(for_visitors(str(error)), print_exception=False)

    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def steps(*args: Any, **kwargs: Any) -> Iterator[Any]:
            try:
                yield from function(*args, **kwargs)
            except Cancelled:
                return
            except VRPSAMError as error:
                raise shown(error) from error

        return steps

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except VRPSAMError as error:
            raise shown(error) from error

    return call
