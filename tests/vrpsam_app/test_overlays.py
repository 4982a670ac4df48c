import itertools

import numpy as np
import pytest

from vrpsam_app.annotations import Box, Mask, Point, Scribble, rasterize
from vrpsam_app.errors import ImageError
from vrpsam_app.overlays import PALETTE, draw_marks, overlay, side_by_side

GREY = np.full((40, 50), 100, np.uint8)


def disc(radius=10, centre=(20, 25), hw=(40, 50)):
    row, col = np.indices(hw)
    return np.hypot(row - centre[0], col - centre[1]) <= radius


def changed(picture):
    return (picture != 100).any(axis=2)


def test_the_inside_is_mixed_and_the_outside_left_alone():
    picture = overlay(GREY, disc(), color=(200, 0, 100), opacity=0.5)
    assert picture.dtype == np.uint8
    assert picture.shape == (40, 50, 3)
    assert picture[20, 25].tolist() == [150, 50, 100]
    assert not changed(picture)[~disc(14)].any()


def test_the_outline_follows_the_border_and_is_smooth():
    picture = overlay(GREY, disc(), color=(255, 255, 255), opacity=0, outline=2)
    assert (picture[10, 25] > 240).all()
    assert (picture[20, 25] == 100).all()
    assert len(np.unique(picture)) > 20  # steps in between: anti-aliased


def test_no_outline_if_none_is_wanted():
    picture = overlay(GREY, disc(), opacity=0, outline=0)
    assert not changed(picture).any()


@pytest.mark.parametrize("pixels", [[(20, 25)], [(0, 0)], [(20, c) for c in range(20, 25)]])
def test_the_smallest_objects_are_seen(pixels):
    mask = np.zeros((40, 50), bool)
    mask[tuple(np.transpose(pixels))] = True
    picture = overlay(GREY, mask, color=(255, 255, 255))
    assert (picture[mask] > 150).all()


def test_an_empty_mask_changes_nothing():
    assert not changed(overlay(GREY, np.zeros((40, 50), bool))).any()


def test_a_full_mask_is_filled_without_an_outline():
    picture = overlay(GREY, np.ones((40, 50), bool), color=(200, 200, 200), opacity=0.5)
    assert (picture == 150).all()


@pytest.mark.parametrize("hw", [(1, 1), (1, 9), (9, 1)])
def test_tiny_images_are_drawn(hw):
    picture = overlay(np.zeros(hw, np.uint8), np.ones(hw, bool), color=(200, 200, 200), opacity=0.5)
    assert (picture == 100).all()
    assert draw_marks(np.zeros(hw), [Point(0.5, 0.5)]).any()


def test_labels_take_their_own_colours_and_start_again():
    labels = np.zeros((40, 50), np.int32)
    labels[5:15, 5:15], labels[25:35, 5:15], labels[5:15, 30:40] = 1, 2, 1_000_001
    labels[25:35, 30:40] = -1
    picture = overlay(GREY, labels, colors=[(255, 0, 0), (0, 255, 0)], opacity=1, outline=0)
    assert picture[10, 10].tolist() == picture[10, 35].tolist() == [255, 0, 0]
    assert picture[30, 10].tolist() == [0, 255, 0]
    assert picture[30, 35].tolist() == [100] * 3


@pytest.mark.parametrize("dtype", ["u1", "u2", "u8", "i4", "i8"])
def test_labels_may_be_any_integers(dtype):
    labels = disc().astype(dtype) * np.asarray(3, dtype)
    assert np.array_equal(overlay(GREY, labels), overlay(GREY, disc(), color=PALETTE[2]))


def test_objects_at_the_border_have_no_line_along_it():
    mask = np.zeros((40, 50), bool)
    mask[:, :20] = True
    picture = overlay(GREY, mask, color=(200, 200, 200), opacity=0.5)
    assert (picture[:, :15] == 150).all()


@pytest.mark.parametrize(
    "regions", [np.zeros((50, 40), bool), np.zeros((40, 50)), np.zeros((40, 50, 3), bool)]
)
def test_regions_of_another_size_or_type_are_refused(regions):
    with pytest.raises(ImageError, match="The regions have shape"):
        overlay(GREY, regions)


def test_images_of_any_type_are_drawn_on():
    image = np.linspace(0, 1, 2000).reshape(40, 50)
    before = image.copy()
    assert overlay(image, disc()).dtype == np.uint8
    assert np.array_equal(image, before)


def test_the_palette_is_told_apart_with_reduced_colour_vision():
    # Simulation of deuteranopia, linear RGB: Vienot, Brettel and Mollon (1999).
    linear = (np.array(PALETTE) / 255) ** 2.2
    seen = linear @ np.array([[0.293, 0.293, -0.021], [0.707, 0.707, 0.021], [0, 0, 1]])
    for one, other in itertools.combinations(np.clip(seen, 0, 1) ** (1 / 2.2) * 255, 2):
        assert np.abs(one - other).max() > 20


def test_each_kind_of_mark_is_drawn_and_negative_ones_differ():
    for positive in (Point(20, 25), Box(10, 10, 30, 40), Scribble(((5, 5), (30, 40)), 6)):
        marks = rasterize([positive], (40, 50))
        drawn = draw_marks(GREY, [positive])
        assert changed(drawn)[marks.positive].all()
        negative = draw_marks(GREY, [type(positive)(**vars_of(positive), positive=False)])
        assert (drawn != negative).any()


def vars_of(annotation):
    return {n: getattr(annotation, n) for n in annotation.__slots__ if n != "positive"}


def test_masks_and_marks_are_drawn():
    mask = disc(5, (10, 10))
    picture = draw_marks(GREY, [Mask(mask), Point(30, 40, False)])
    assert changed(picture)[mask].all()
    assert changed(picture)[30, 40]
    from_marks = draw_marks(GREY, rasterize([Mask(mask), Point(30, 40, False)], (40, 50)))
    assert changed(from_marks)[mask].all()
    assert changed(from_marks)[30, 40]


def test_negative_marks_are_striped():
    picture = draw_marks(GREY, rasterize([Box(10, 10, 30, 40, False)], (40, 50)))
    assert len(np.unique(picture[15:25, 15:35].reshape(-1, 3), axis=0)) == 2


def test_nothing_marked_changes_nothing():
    assert not changed(draw_marks(GREY, [])).any()


def test_panels_stand_in_a_row_on_white():
    sheet = side_by_side([np.zeros((10, 20)), np.zeros((6, 5, 3), np.uint8)], gap=3)
    assert sheet.shape == (10, 28, 3)
    assert (sheet[:, 20:23] == 255).all()
    assert (sheet[:6, 23:] == 0).all()
    assert (sheet[6:, 23:] == 255).all()


def test_captions_are_written_above_and_cut_to_the_panel():
    panels = [np.zeros((30, 90)), np.zeros((30, 3))]
    sheet = side_by_side(panels, captions=["a caption far too long for ninety pixels", "wide"])
    title = len(sheet) - 30
    assert (sheet[title:, :90] == 0).all()
    assert (sheet[:title, :90] < 128).any()
    assert (sheet[:title, 90:] == 255).all()


def test_panels_and_captions_must_agree():
    with pytest.raises(ImageError, match="1 captions for 2 panels"):
        side_by_side([GREY, GREY], captions=["one"])
    with pytest.raises(ImageError, match="No panels"):
        side_by_side([])
