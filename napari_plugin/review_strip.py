"""A strip with one bar for each plane of a result: how sure the model is, and what is edited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from qtpy.QtCore import QPoint, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QHelpEvent, QPainter, QPalette, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

SURE, DOUBTFUL, EDITED = QColor("#4f8fd9"), QColor("#e8a33d"), QColor("#4caf78")
DOUBTFUL_SHARE = 0.2
"""Share of the open planes, the most doubtful ones, whose bars have the colour of doubt."""
_HEIGHT, _CARET, _DOT = 84, 7, 3
_NARROWEST = 2.0  # of a bar, in pixels of the screen; more planes than that share bars
_LOWEST = 0.25  # height of the most doubtful bar
_LEAST_RANGE = 0.1  # of doubts that fill the height: smaller differences are not blown up


@dataclass(frozen=True, slots=True)
class Bar:
    """What is known about one plane.

    Attributes
    ----------
    words : which plane it is, and what was found in it
    doubt : in [0, 1]; None for a plane that was not answered
    present : whether anything was found
    edited : whether a person changed or accepted it
    group : planes of another group stand apart, such as those of another time
    """

    words: str
    doubt: float | None = None
    present: bool = True
    edited: bool = False
    group: int = 0

    @property
    def is_open(self) -> bool:
        """Whether it was answered and nobody has settled it."""
        return self.doubt is not None and not self.edited


class ScoreStrip(QWidget):
    """Bars, the higher the surer the model is; a click chooses a plane.

    Where there are more planes than pixels, several share a bar, which shows the most doubtful of
    them and chooses it.
    """

    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._bars: tuple[Bar, ...] = ()
        self._current = -1
        self._lowest, self._highest, self._doubtful_from = 0.0, 1.0, 2.0
        self.setMinimumHeight(_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName("How sure the model is of each slice")

    @property
    def bars(self) -> tuple[Bar, ...]:
        """What is shown."""
        return self._bars

    @property
    def current(self) -> int:
        """Place of the plane that the viewer shows, -1 for none."""
        return self._current

    def show_bars(self, bars: Sequence[Bar], current: int) -> None:
        """Show other planes, or the same with what is known now."""
        self._bars, self._current = tuple(bars), current
        doubts = sorted(b.doubt for b in bars if b.doubt is not None)
        self._lowest, self._highest = (doubts[0], doubts[-1]) if doubts else (0.0, 1.0)
        waiting = sorted((b.doubt or 0.0 for b in bars if b.is_open), reverse=True)
        count = round(DOUBTFUL_SHARE * len(waiting) + 0.49)
        self._doubtful_from = waiting[count - 1] if count else 2.0
        self.update()

    def show_current(self, current: int) -> None:
        """Move the caret."""
        if current != self._current:
            self._current = current
            self.update()

    def sizeHint(self) -> QSize:  # noqa: N802  # Qt's name
        """Return as wide as a panel, as high as the bars."""
        return QSize(280, _HEIGHT)

    def bar_at(self, x: float) -> int:
        """Return the place of the plane below a point, -1 beside all."""
        for spot in self._spots():
            if spot.left <= x < spot.left + spot.width:
                return spot.plane
        return -1

    def position_of(self, plane: int) -> QPoint:
        """Return a point on the bar of a plane."""
        for spot in self._spots():
            if spot.first <= plane <= spot.last:
                return QPoint(int(spot.left + spot.width / 2), self.height() // 2)
        return QPoint(-1, -1)

    def colour_of(self, bar: Bar) -> QColor:
        """Return the colour of a bar: settled by a person, among the most doubtful, or neither."""
        if bar.edited:
            return EDITED
        doubtful = bar.doubt is not None and bar.doubt >= self._doubtful_from
        return DOUBTFUL if doubtful else SURE

    def height_of(self, bar: Bar) -> float:
        """Return how high a bar is, in [0, 1]: the surest plane fills the strip."""
        if bar.doubt is None:
            return 0.0
        spread = max(self._highest - self._lowest, _LEAST_RANGE)
        return 1 - (1 - _LOWEST) * (bar.doubt - self._lowest) / spread

    def paintEvent(self, event: Any) -> None:  # noqa: N802  # Qt's name
        """Draw bars, dots of what is edited, and the caret."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        text = self.palette().color(QPalette.ColorRole.WindowText)
        faint = QColor(text)
        faint.setAlpha(70)
        floor = self.height() - _CARET - 4.0
        top = _DOT * 2 + 4.0
        painter.setPen(faint)
        painter.drawLine(QPointF(0, floor + 1), QPointF(self.width(), floor + 1))
        painter.setPen(Qt.PenStyle.NoPen)
        for spot in self._spots():
            bar = self._bars[spot.plane]
            gap = 1.0 if spot.width >= 4 else 0.0
            middle = spot.left + spot.width / 2
            if bar.doubt is None:
                painter.setBrush(faint)
                painter.drawRect(QRectF(spot.left, floor - 2, max(spot.width - gap, 1), 2))
            else:
                colour = QColor(self.colour_of(bar))
                if not bar.present:
                    colour.setAlpha(90)
                high = self.height_of(bar) * (floor - top)
                painter.setBrush(colour)
                painter.drawRoundedRect(
                    QRectF(spot.left, floor - high, max(spot.width - gap, 1), high), 1, 1
                )
            if bar.edited:
                painter.setBrush(EDITED)
                painter.drawEllipse(QPointF(middle, _DOT + 1.0), _DOT, _DOT)
            if spot.first <= self._current <= spot.last:
                painter.setBrush(text)
                painter.drawPolygon(
                    QPolygonF(
                        [
                            QPointF(middle, floor + 3),
                            QPointF(middle - _CARET * 0.7, floor + 3 + _CARET),
                            QPointF(middle + _CARET * 0.7, floor + 3 + _CARET),
                        ]
                    )
                )
        painter.end()

    def mousePressEvent(self, event: Any) -> None:  # noqa: N802  # Qt's name
        """Choose the plane that was clicked."""
        self._choose(event.position().x())

    def mouseMoveEvent(self, event: Any) -> None:  # noqa: N802  # Qt's name
        """Choose planes while the mouse is drawn over them."""
        self._choose(event.position().x())

    def keyPressEvent(self, event: Any) -> None:  # noqa: N802  # Qt's name
        """Step with the arrow keys."""
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        step = steps.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
        elif 0 <= self._current + step < len(self._bars):
            self.chosen.emit(self._current + step)

    def event(self, event: Any) -> bool:
        """Say what a bar stands for when the mouse rests on it."""
        if isinstance(event, QHelpEvent):
            plane = self.bar_at(event.pos().x())
            words = self._bars[plane].words if plane >= 0 else ""
            QToolTip.showText(event.globalPos(), words, self)
            return True
        return bool(super().event(event))

    def _choose(self, x: float) -> None:
        plane = self.bar_at(x)
        if plane >= 0 and plane != self._current:
            self.chosen.emit(plane)

    def _spots(self) -> list[_Spot]:
        """Return where each bar stands, from left to right."""
        count = len(self._bars)
        if not count:
            return []
        room = max(1, int(self.width() / _NARROWEST))
        shared = -(-count // room)  # planes of a bar, rounded up
        groups = sum(a.group != b.group for a, b in pairwise(self._bars))
        bars = -(-count // shared)
        apart = min(6.0, 0.3 * self.width() / (groups + 1)) if groups and shared == 1 else 0.0
        width = (self.width() - groups * apart) / bars
        spots, left = [], 0.0
        for first in range(0, count, shared):
            last = min(first + shared, count) - 1
            if first and apart and self._bars[first].group != self._bars[first - 1].group:
                left += apart
            worst = max(range(first, last + 1), key=lambda i: self._bars[i].doubt or 0.0)
            spots.append(_Spot(left, width, first, last, worst))
            left += width
        return spots


@dataclass(frozen=True, slots=True)
class _Spot:
    """A bar on the screen: where it stands, which planes share it, which of them it shows."""

    left: float
    width: float
    first: int
    last: int
    plane: int
