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

FAILED = "This did not work. Try it again, or reload the page."
_log = logging.getLogger(__name__)


def status_line(words: str, about: str = "") -> str:
    """Return the line under the button, announced by screen readers.

    Parameters
    ----------
    words : for a person
    about : what on the page draws attention with it: ``marks``, or nothing
    """
    noted = f' data-about="{about}"' if about else ""
    return f'<p role="status"{noted}>{html.escape(words)}</p>'


def found_line(words: str) -> str:
    """Return the line with a link to the result that is shown, which the board puts into words."""
    return f'<p role="status"><a href="#board" data-found></a> {html.escape(words)}</p>'


def for_visitors(sentence: str) -> str:
    """Return a sentence as HTML, without the folders of this computer."""
    return html.escape(_without_folders(sentence), quote=False)


def in_plain_words(
    function: Callable[..., Any], told: Callable[..., Any] | None = None
) -> Callable[..., Any]:
    """Show the sentence of an error of ours to the person, and log where it came from.

    Work that was stopped ends without a word: whoever stopped it knows.

    Parameters
    ----------
    function
        Answers an event.
    told
        Takes the sentence and what the event was given, and returns the updates that end a
        generator on any error: Gradio leaves the page as the last step before has shown it, and
        calls nothing that comes after.
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
            except Exception as error:
                sentence = str(error) if isinstance(error, VRPSAMError) else FAILED
                if told is not None:
                    yield told(_without_folders(sentence), *args)
                if isinstance(error, VRPSAMError):
                    raise shown(error) from error
                raise

        return steps

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except VRPSAMError as error:
            raise shown(error) from error

    return call


def _without_folders(sentence: str) -> str:
    return without_folders(sentence, get_upload_folder())
