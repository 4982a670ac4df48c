"""One visitor: what the events of a page change, often several at a time, and what runs."""

from __future__ import annotations

import dataclasses
import shutil
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from vrpsam_app.progress import CancelToken
from vrpsam_app.web.pictures import new_folder
from vrpsam_app.web.session import Answers, Session, opening_session, setting_of


class Work:
    """What runs for one visitor: at most one piece of each kind, each with a button to stop it."""

    def __init__(self) -> None:
        self._tokens: dict[str, CancelToken] = {}
        self._lock = threading.Lock()
        self.alive = 0
        self._readers = 0

    @property
    def is_reading(self) -> bool:
        """Whether files are read that were brought."""
        return self._readers > 0

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read files that were brought."""
        with self._lock:
            self._readers += 1
        try:
            yield
        finally:
            with self._lock:
                self._readers -= 1

    def begin(self, kind: str) -> CancelToken:
        """Return a button for new work, and press that of the work of this kind before it."""
        token = CancelToken()
        with self._lock:
            self.alive += 1
            if (before := self._tokens.get(kind)) is not None:
                before.cancel()
            self._tokens[kind] = token
        return token

    def stop(self, *kinds: str) -> None:
        """Press the buttons of some kinds of work, or of all."""
        with self._lock:
            for kind, token in self._tokens.items():
                if not kinds or kind in kinds:
                    token.cancel()


class Visitor:
    """What the server keeps for one open page.

    Events overlap: a reference is chosen while other pictures are read. Each works on the session
    that it found, which never changes, and applies what it adds or takes out to that of the end.
    """

    def __init__(self) -> None:
        folder = new_folder()
        self.work = Work()
        self._session = dataclasses.replace(opening_session(), folder=folder)
        self._answers = Answers()
        self._lock = threading.Lock()
        # Gradio drops the visitors of whom it has too many without a word.
        self._remove_files = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)

    @property
    def session(self) -> Session:
        """What is on the page now."""
        return self._session

    @property
    def answers(self) -> Answers:
        """What is known of the targets now."""
        return self._answers

    def change(
        self, change: Callable[[Session], Session], answers: Answers | None = None
    ) -> Session:
        """Change the session.

        Parameters
        ----------
        change
            Takes the session of now and returns the next one; nothing else changes it meanwhile.
        answers
            Come with the change. Without them, those that are known stay unless they depend on what
            has changed.

        Returns
        -------
        session : Session
            The next one.
        """
        with self._lock:
            before, self._session = self._session, change(self._session)
            if answers is not None or setting_of(before) != setting_of(self._session):
                self._answers = answers or Answers()
                self.work.stop("find", "live")
            return self._session

    def answer(self, answers: Answers) -> Answers:
        """Add answers to what is known, unless the session that they are for is no more.

        Returns
        -------
        answers : Answers
            All that are known now.
        """
        with self._lock:
            question = answers.question
            if question is None or question.setting == setting_of(self._session):
                self._answers = self._answers.joined_by(answers)
            return self._answers

    def close(self) -> None:
        """Stop what runs, remove the files and forget the rest: Gradio may hold on to a visitor."""
        self.work.stop()
        self._remove_files()
        folder = self._session.folder
        self.change(lambda _: dataclasses.replace(opening_session(), folder=folder), Answers())


class NewVisitor:
    """What a page's state is before its visitor does anything; a copy of it is a visitor.

    Gradio makes that copy for whatever is done first, however early. An event that began the visit
    when the page has loaded could come too late.
    """

    def __deepcopy__(self, memo: object) -> Visitor:
        return Visitor()

    def __str__(self) -> str:
        return ""  # the page's configuration shows it
