"""The scripts that read, write and trace pixels, one by one."""

from __future__ import annotations

import base64
import io
import zlib

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from vrpsam_app.image_files import encode_png
from vrpsam_app.web.page_files import read_page_files


@pytest.fixture
def scripts(browser):
    page = browser.new_page()
    names = ("png_pixels.js", "zoom_stage.js", "result_painting.js")
    page.add_script_tag(content=read_page_files(*names))
    yield page
    page.close()


def filtered_png(pixels: np.ndarray, kind: int) -> bytes:
    """Return a grey PNG with one filter for all rows, in two pieces of data."""
    height, width = pixels.shape
    grey = pixels.astype(int)
    left = np.pad(grey, ((0, 0), (1, 0)))[:, :-1]
    above = np.pad(grey, ((1, 0), (0, 0)))[:-1]
    corner = np.pad(grey, ((1, 0), (1, 0)))[:-1, :-1]
    near = np.stack([left, above, corner])
    paeth = np.take_along_axis(
        near, np.abs(near - (left + above - corner)).argmin(0)[None], axis=0
    )[0]
    guess = [np.zeros_like(grey), left, above, (left + above) // 2, paeth][kind]
    rows = np.hstack([np.full((height, 1), kind), (grey - guess) % 256]).astype(np.uint8)
    data = zlib.compress(rows.tobytes())

    def chunk(name: bytes, body: bytes) -> bytes:
        check = zlib.crc32(name + body)
        return len(body).to_bytes(4, "big") + name + body + check.to_bytes(4, "big")

    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", size + bytes([8, 0, 0, 0, 0])),
            chunk(b"IDAT", data[:20]),
            chunk(b"IDAT", data[20:]),
            chunk(b"IEND", b""),
        ]
    )


def read_in_browser(page, png: bytes) -> np.ndarray:
    url = "data:image/png;base64," + base64.b64encode(png).decode()
    answer = page.evaluate(
        "(url) => readGreyPng(url).then((p) => [p.height, p.width, [...p.pixels]])",
        url,
    )
    return np.array(answer[2], np.uint8).reshape(answer[:2])


@pytest.mark.parametrize("kind", range(5))
def test_levels_are_read_exactly_whatever_their_filter(scripts, kind):
    pixels = np.random.default_rng(kind).integers(0, 256, (13, 37)).astype(np.uint8)
    png = filtered_png(pixels, kind)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png))), pixels)
    np.testing.assert_array_equal(read_in_browser(scripts, png), pixels)


def test_levels_as_the_server_writes_them_are_read_exactly(scripts):
    pixels = np.random.default_rng(9).integers(0, 100, (50, 64)).astype(np.uint8)
    np.testing.assert_array_equal(read_in_browser(scripts, encode_png(pixels)), pixels)


@pytest.mark.parametrize("step", [1, 3])
def test_painted_bits_are_written_exactly(scripts, step):
    width, height = 41, 22
    cells = np.random.default_rng(step).random((-(-height // step), -(-width // step))) > 0.5
    text = scripts.evaluate(
        "([w, h, cells, step]) => writeBitPng(w, h, Uint8Array.from(cells), step)",
        [width, height, cells.ravel().astype(int).tolist(), step],
    )
    written = np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))
    np.testing.assert_array_equal(
        written, np.repeat(np.repeat(cells, step, 0), step, 1)[:height, :width]
    )


CUT = """([pixels, width, step, smallest]) => {
  const owner = cutLevels([{ pixels }], step);
  const counts = countPieces(owner, width, smallest, [0]);
  return [[...owner], counts[0]];
}"""


def test_pieces_are_counted_and_left_out_like_in_scipy(scripts):
    noise = ndimage.gaussian_filter(np.random.default_rng(3).random((40, 60)), 1.5)
    levels = ((noise - noise.min()) / np.ptp(noise) * 99).astype(np.uint8)
    owner, count = scripts.evaluate(CUT, [levels.ravel().tolist(), 60, 65, 12])
    pieces, number = ndimage.label(levels >= 65)
    sizes = np.bincount(pieces.ravel(), minlength=number + 1)
    large = [i for i in range(1, number + 1) if sizes[i] >= 12]
    assert 0 < len(large) < number
    assert count == len(large)
    np.testing.assert_array_equal(np.reshape(owner, levels.shape), np.isin(pieces, large))


TRACE = """([pixels, width, height, step]) => {
  const owner = cutLevels([{ pixels }], step);
  const path = traceClass(owner, pixels, width, height, 1, step);
  const pen = document.createElement('canvas').getContext('2d');
  const inside = [];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      inside.push(pen.isPointInPath(path, x + 0.5, y + 0.5, 'evenodd'));
    }
  }
  return [inside, pen.isPointInPath(path, 5.5, 0.05, 'evenodd')];
}"""


@pytest.mark.parametrize("seed", range(4))
def test_the_line_encloses_the_middles_of_the_pixels_that_were_found(scripts, seed):
    levels = np.random.default_rng(seed).integers(0, 100, (24, 31)).astype(np.uint8)
    levels[0, 2:9] = 99  # found up to the border of the picture
    inside, border = scripts.evaluate(TRACE, [levels.ravel().tolist(), 31, 24, 55])
    np.testing.assert_array_equal(np.reshape(inside, levels.shape), levels >= 55)
    assert border
