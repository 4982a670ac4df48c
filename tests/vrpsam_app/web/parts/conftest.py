"""The canvas and the board alone in a browser, as Gradio runs them, but without a server."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vrpsam_app.image_files import encode_png

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SIZE = (200, 120)  # width, height of most pictures here
RED, BLUE, GREY = (210, 40, 40), (40, 60, 200), (110, 110, 110)

# What Gradio gives the script of a component, and a way to play Python.
RUN = """([script, props]) => {
  const root = document.querySelector('#part');
  const watchers = [];
  window.props = props;
  window.events = [];
  window.give = (update) => {
    Object.assign(props, update);
    for (const [names, call] of watchers) if (names.some((name) => name in update)) call();
  };
  const trigger = (name) => events.push({ name, ...structuredClone(props.value) });
  const watch = (names, call) => watchers.push([[names].flat(), call]);
  new Function('element', 'trigger', 'props', 'server', 'upload', 'watch', script)(
    root, trigger, props, {}, null, watch);
}"""


def data_url(pixels: NDArray[np.uint8]) -> str:
    return "data:image/png;base64," + base64.b64encode(encode_png(pixels)).decode()


def picture(
    name: str, pixels: NDArray[np.uint8] | None = None, size: tuple[int, int] = SIZE
) -> dict[str, Any]:
    """Return a picture as Python sends it, grey unless `pixels` says otherwise."""
    width, height = size
    shown = np.full((height, width, 3), GREY, np.uint8) if pixels is None else pixels
    source = data_url(shown)
    return {"id": name, "name": f"{name}.png", "src": source, "width": width, "height": height}


@dataclass
class Part:
    """One component on an otherwise empty page."""

    page: Page
    size: tuple[int, int] = SIZE
    zoom: float = 1.0
    moved: tuple[float, float] = (0.0, 0.0)
    problems: list[str] = field(default_factory=list)

    def run(self, component: Any) -> None:
        from vrpsam_app.web.theme import page_css

        # The stage takes what a card would give it.
        style = page_css() + "body { margin: 0 } .stage { height: 300px }"
        self.page.set_content(
            f"<style>{style}</style><div id=part style='padding: 10px; width: calc(100vw - 20px)'>"
            f"{component.html_template}</div>"
        )
        props = {**component.props, "value": component.value}
        self.page.evaluate(RUN, [component.js_on_load, props])
        self.page.wait_for_timeout(50)

    @property
    def value(self) -> Any:
        return self.page.evaluate("props.value")

    def events(self, name: str, count: int = 1) -> list[dict[str, Any]]:
        """Return the events of a name, after waiting until there are so many."""
        wait = "([name, count]) => events.filter((e) => e.name === name).length >= count"
        self.page.wait_for_function(wait, arg=[name, count], timeout=5000)
        return self.page.evaluate("(name) => events.filter((e) => e.name === name)", name)

    def give(self, **update: Any) -> None:
        self.page.evaluate("(update) => give(update)", update)
        self.page.wait_for_timeout(50)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return where a place of the picture lies in the window: centred, as large as fits."""
        stage = self.page.locator(".stage > canvas").bounding_box()
        scale = self.zoom * min(stage["width"] / self.size[0], stage["height"] / self.size[1])
        left = stage["x"] + (stage["width"] - self.size[0] * scale) / 2 + self.moved[0]
        top = stage["y"] + (stage["height"] - self.size[1] * scale) / 2 + self.moved[1]
        return left + x * scale, top + y * scale

    def click(self, x: float, y: float, **how: Any) -> None:
        self.page.mouse.click(*self.at(x, y), **how)

    def drag(self, *points: tuple[float, float], **how: Any) -> None:
        self.page.mouse.move(*self.at(*points[0]))
        self.page.mouse.down(**how)
        for point in points[1:]:
            self.page.mouse.move(*self.at(*point))
        self.page.mouse.up(**how)

    def tool(self, name: str) -> None:
        self.page.click(f"[data-tool={name}]")

    def marks(self, count: int) -> list[dict[str, Any]]:
        """Return the marks of the only reference, after waiting until there are so many."""
        wait = "(count) => (props.value.references[0]?.marks || []).length === count"
        self.page.wait_for_function(wait, arg=count, timeout=5000)
        references = self.value["references"]
        return references[0]["marks"] if references else []

    def shade_other_than(self, shade: list[int], x: float, y: float) -> list[int]:
        """Return the colour at a place once it is another one, or what it is after some seconds."""
        for _ in range(100):
            if self.shade(x, y) != shade:
                break
        return self.shade(x, y)

    def shade(self, x: float, y: float) -> list[int]:
        """Return the colour that the stage shows at a place of the picture."""
        self.page.wait_for_timeout(40)
        left, top = self.at(x, y)
        return self.page.evaluate(
            """([x, y]) => {
              const canvas = document.querySelector('.stage > canvas');
              const box = canvas.getBoundingClientRect();
              const ratio = canvas.width / box.width;
              const pen = canvas.getContext('2d');
              return [...pen.getImageData((x - box.x) * ratio, (y - box.y) * ratio, 1, 1).data];
            }""",
            [left, top],
        )


@pytest.fixture
def open_part(browser: Browser) -> Iterator[Callable[..., Part]]:
    opened: list[Part] = []

    def open_page(component: Any, **options: Any) -> Part:
        width = {"width": 560, "height": 800}
        page = browser.new_context(**({"viewport": width} | options)).new_page()
        part = Part(page)
        page.on("pageerror", lambda error: part.problems.append(str(error)))
        page.on("request", lambda r: r.url.startswith("http") and part.problems.append(r.url))
        opened.append(part)
        part.run(component)
        return part

    yield open_page
    for part in opened:
        assert part.problems == []
        part.page.context.close()


def reference(image: str, *marks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"image": image, "label": "object", "exhaustive": False, "marks": list(marks)} | more


@pytest.fixture
def canvas(open_part: Callable[..., Part]) -> Callable[..., Part]:
    """Open the canvas on some pictures, with what is marked from the start."""
    from vrpsam_app.web.canvas import marking_canvas

    def open_canvas(
        pictures: Sequence[dict[str, Any]] = (), references: Sequence[Any] = (), **options: Any
    ) -> Part:
        shown = list(pictures) or [picture("one")]
        given = {
            "serial": "opening",
            "replace": True,
            "shown": shown[0]["id"],
            "references": list(references),
        }
        part = marking_canvas(
            shown, given, upload_selector="#none", presses={"add": "#none"}, elem_id="canvas"
        )
        return open_part(part, **options)

    return open_canvas


@pytest.fixture
def board(open_part: Callable[..., Part]) -> Callable[..., Part]:
    """Open the board on some pictures."""
    from vrpsam_app.web.board import result_board

    def open_board(*pictures: dict[str, Any], **options: Any) -> Part:
        shown = list(pictures) or [picture("one")]
        viewport = {"width": 700, "height": 900}
        part = result_board(
            shown,
            upload_selector="#none",
            find_selector="#find",
            status_selector="#status",
            saves={"shown": "#save-mask", "all": "#save-all"},
            elem_id="board",
        )
        return open_part(part, **({"viewport": viewport} | options))

    return open_board


@pytest.fixture
def answer() -> Callable[..., dict[str, Any]]:
    """What the server says of a target: label -> levels."""

    def make(target: str, score: float = 0.9, **levels: NDArray[np.uint8] | None) -> dict[str, Any]:
        classes = [
            {
                "label": label,
                "score": score,
                "presence": 0.04 if pixels is None else 0.97,
                "present": pixels is not None,
                "levels": None if pixels is None else data_url(pixels),
            }
            for label, pixels in levels.items()
        ]
        return {"id": target, "state": "done", "note": "", "classes": classes}

    return make


@pytest.fixture
def make_picture() -> Callable[..., dict[str, Any]]:
    return picture


@pytest.fixture
def make_reference() -> Callable[..., dict[str, Any]]:
    return reference
