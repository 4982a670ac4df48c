"""Who is on the page, and what goes when a visitor leaves."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, field

from vrpsam_app.web.visitor import Visitor

# A phone that shows another app, or a network that is gone for a moment, closes the connection too.
GRACE_SECONDS = 60.0
# Who was away and asked for something since is taken to be there, reading, for so long.
QUIET_SECONDS = 3600.0


@dataclass(eq=False)
class Visit:
    """One open page.

    Attributes
    ----------
    visitor : whose page it is
    ending : when it is to end, once the page has gone
    token : known to this page only; good for coming back once
    """

    visitor: Visitor
    ending: threading.Timer | None = None
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)


class Visits:
    """All open pages by the name that the page's connection has.

    Parameters
    ----------
    grace : seconds after which the files of a visitor who left are removed
    quiet : the same, of one who asked for something meanwhile: seconds without asking again
    """

    def __init__(self, grace: float = GRACE_SECONDS, quiet: float = QUIET_SECONDS) -> None:
        self.grace = grace
        self.quiet = quiet
        self._visits: dict[str, Visit] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._visits)

    def begin(self, name: str | None, visitor: Visitor) -> Visit:
        """Remember a new visit; without a name it ends with the process only."""
        visit = Visit(visitor)
        if name:
            with self._lock:
                before = self._visits.pop(name, None)
                self._visits[name] = visit
            if before is not None and before.visitor is not visitor:
                end(before)
        return visit

    def rejoin(self, token: object, name: str | None) -> Visit | None:
        """Give a visit that has not ended to the page that comes back with its token.

        Parameters
        ----------
        token : what a page sent, taken for hostile
        name : of the connection that the page has now

        Returns
        -------
        visit : Visit
            With another token; None if no visit has this one.
        """
        if not isinstance(token, str):
            return None
        sent = token.encode()
        with self._lock:
            for before, visit in self._visits.items():
                if secrets.compare_digest(visit.token.encode(), sent):
                    del self._visits[before]
                    break
            else:
                return None
        if visit.ending is not None:
            visit.ending.cancel()
        return self.begin(name, visit.visitor)

    def left(self, name: str | None) -> None:
        """Stop what runs for a visitor, and remove the files once it is clear that none returns."""
        with self._lock:
            visit = self._visits.get(name or "")
        if visit is None:
            return
        visit.visitor.work.stop()
        self._end_after(self.grace, name or "", visit)

    def _end_after(self, seconds: float, name: str, visit: Visit) -> None:
        alive = visit.visitor.work.alive
        ending = threading.Timer(seconds, self._end_unless_back, (name, visit, alive))
        ending.daemon = True
        with self._lock:
            before, visit.ending = visit.ending, ending
        if before is not None:
            before.cancel()
        ending.start()

    def _end_unless_back(self, name: str, visit: Visit, alive: int) -> None:
        if visit.visitor.work.alive != alive:
            # The page is back; or it has gone, and what it had asked for began only afterwards.
            self._end_after(self.quiet, name, visit)
            return
        with self._lock:
            if self._visits.get(name) is not visit:
                return  # it goes on under another name
            del self._visits[name]
        end(visit)


def end(visit: Visit) -> None:
    """Stop what runs for a visitor and remove the files."""
    if visit.ending is not None:
        visit.ending.cancel()
    visit.visitor.close()


visits = Visits()
"""Those of this process."""
