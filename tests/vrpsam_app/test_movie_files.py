from __future__ import annotations

import struct
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from vrpsam_app import movie_files
from vrpsam_app.errors import ImageError, ImageFileError, MissingExtraError, OutputError
from vrpsam_app.movie_files import MovieFile, MovieWriter, is_movie
from vrpsam_app.stacks.stack_files import open_stack

COUNT = 30


def frame(number: int, hw: tuple[int, int] = (48, 64)) -> NDArray[np.uint8]:
    """A grey frame whose brightness says its number, with a white corner at the top left."""
    picture = np.full((*hw, 3), 40 + 6 * number, np.uint8)
    picture[:12, :12] = 255
    return picture


def write(path: Path, count: int = COUNT, hw: tuple[int, int] = (48, 64)) -> Path:
    with MovieWriter(path, hw, 12.5) as movie:
        for number in range(count):
            movie.add(frame(number, hw))
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("movies") / "clip.mp4")


def number_of(picture: NDArray[np.uint8]) -> int:
    return round((float(picture[30:, 30:].mean()) - 40) / 6)


def test_what_is_written_is_read(clip: Path):
    with MovieFile(clip) as movie:
        assert len(movie) == COUNT
        assert movie.hw == (48, 64)
        assert movie.rate == Fraction(25, 2)
        assert movie.seconds(25) == pytest.approx(2.0)
        for number in range(COUNT):
            picture = movie.frame(number)
            assert picture.dtype == np.uint8
            assert np.abs(picture.astype(int) - frame(number)).mean() < 2


def test_frames_come_in_any_order(clip: Path):
    order = [0, 29, 28, 27, 3, 4, 4, 15, 0]
    with MovieFile(clip) as movie:
        assert [number_of(movie.frame(n)) for n in order] == order


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [(".ts", "libx264"), (".ts", "mpeg2video"), (".avi", "libx264"), (".avi", "mpeg4")],
)
def test_frames_that_are_stored_in_another_order_than_shown(
    tmp_path: Path, suffix: str, codec: str, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / f"clip{suffix}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        stream.bit_rate = 4_000_000
        stream.codec_context.max_b_frames, stream.codec_context.gop_size = 2, 6
        for number in range(COUNT):
            shown = av.VideoFrame.from_ndarray(frame(number), format="rgb24")
            container.mux(stream.encode(shown))
        container.mux(stream.encode(None))
    monkeypatch.setattr(movie_files, "_NEAR", 2)
    order = [*range(COUNT), 29, 17, 9, 10, 0, 25, 1]
    with MovieFile(path) as movie:
        assert len(movie) == COUNT
        assert [number_of(movie.frame(n)) for n in order] == order


def test_a_jump_in_a_broadcast_does_not_begin_at_the_beginning(tmp_path: Path):
    path = tmp_path / "clip.ts"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg2video", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        stream.codec_context.max_b_frames, stream.codec_context.gop_size = 2, 12
        for number in range(240):
            shown = av.VideoFrame.from_ndarray(frame(number % 30), format="rgb24")
            container.mux(stream.encode(shown))
        container.mux(stream.encode(None))
    with MovieFile(path) as movie:
        restarts: list[None] = []
        movie._restart = lambda: restarts.append(None)  # type: ignore[method-assign]
        for number in (200, 40, 125):
            movie.frame(number)
        assert not restarts


def test_going_back_decodes_once(clip: Path):
    with MovieFile(clip) as movie:
        movie.frame(29)
        jumps: list[int] = []
        jump = movie._jump
        movie._jump = lambda n: (jumps.append(n), jump(n))[1]  # type: ignore[method-assign]
        assert [number_of(movie.frame(n)) for n in range(28, -1, -1)] == list(range(28, -1, -1))
        assert len(jumps) == 1


def test_odd_sizes_get_one_more_row_and_column(tmp_path: Path):
    path = write(tmp_path / "odd.mp4", 3, (47, 63))
    with MovieFile(path) as movie:
        assert movie.hw == (48, 64)
        assert number_of(movie.frame(2)) == 2


def test_a_movie_is_a_stack_over_time(clip: Path):
    stack = open_stack(clip)
    assert stack.axes == ("t",)
    assert stack.data.shape == (COUNT, 48, 64, 3)
    assert stack.color
    assert number_of(stack.plane((17,))) == 17


def test_phones_turn_their_movies(tmp_path: Path, clip: Path):
    """The matrix in the track header turns by a quarter, clockwise."""
    data = clip.read_bytes()
    plain = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    turned = struct.pack(">9i", 0, 0x10000, 0, -0x10000, 0, 0, 48 << 16, 0, 0x40000000)
    track = data.index(b"tkhd")
    at = data.index(plain, track)
    path = tmp_path / "turned.mp4"
    path.write_bytes(data[:at] + turned + data[at + len(plain) :])
    with MovieFile(path) as movie:
        assert movie.hw == (64, 48)
        picture = movie.frame(0)
    assert picture[:8, -8:].mean() > 240  # the corner is at the top right now
    assert picture[:8, :8].mean() < 60


def test_too_large_frames_are_refused(clip: Path):
    with pytest.raises(ImageFileError, match="at most 1,000"):
        MovieFile(clip, max_pixels=1000)


def test_damage_is_told(tmp_path: Path, clip: Path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(clip.read_bytes()[:36] + bytes(range(256)) * 4)
    with pytest.raises(ImageFileError, match=r"broken\.mp4 is damaged"):
        MovieFile(broken)
    with pytest.raises(ImageFileError, match="does not exist"):
        MovieFile(tmp_path / "none.mp4")
    with pytest.raises(ImageError, match="0 to 29"):
        MovieFile(clip).frame(30)


def test_sound_alone_is_no_movie(tmp_path: Path):
    import wave

    path = tmp_path / "sound.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(1600))
    with pytest.raises(ImageFileError, match="holds no pictures"):
        MovieFile(path)


def test_nothing_is_left_of_a_movie_that_was_given_up(tmp_path: Path):
    path = tmp_path / "half.mp4"

    def give_up() -> None:
        with MovieWriter(path, (48, 64)) as movie:
            movie.add(frame(0))
            movie.add(frame(0, (20, 20)))

    with pytest.raises(ImageError, match="expected"):
        give_up()
    assert list(tmp_path.iterdir()) == []


def test_writing_keeps_what_is_there(tmp_path: Path, clip: Path):
    with pytest.raises(OutputError, match="exists"):
        MovieWriter(clip, (48, 64))
    with pytest.raises(OutputError, match=r"\.mp4"):
        MovieWriter(tmp_path / "clip.avi", (48, 64))
    with pytest.raises(OutputError, match="cannot be written"):
        MovieWriter(tmp_path / "none" / "clip.mp4", (48, 64))


def test_without_the_library_the_extra_is_named(clip: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "av", None)  # as if it were not installed
    with pytest.raises(MissingExtraError, match=r"vrpsam-app\[video\]"):
        MovieFile(clip)


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (b"\0\0\0\x20ftypisom" + bytes(20), True),
        (b"\0\0\0\x20ftypqt  " + bytes(20), True),
        (b"\0\0\0\x20ftypheic" + bytes(20), False),
        (b"\x1a\x45\xdf\xa3" + bytes(20), True),
        (b"RIFF\0\0\0\0AVI LIST", True),
        (b"RIFF\0\0\0\0WEBPVP8 ", False),
        (b"\x47" + bytes(187) + b"\x47", True),
        (b"GIF89a" + bytes(200), False),
    ],
)
def test_movies_are_told_by_their_first_bytes(start: bytes, expected: bool):
    assert is_movie(start) is expected
