import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digit import figures
from digit.figures.page import PAPER, text_width
from digit.skeleton import BONES, JOINT_HAND, LABEL_COUNT, LABEL_NAMES, label_colors


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(60, 200, (40, 56, 3)).astype(np.uint8)


@pytest.fixture
def mask():
    mask = np.zeros((40, 56), np.uint8)
    mask[5:20, 10:30], mask[20:35, 10:30] = 9, 25
    return mask


def test_overlay_tints_parts_and_leaves_the_background(image, mask):
    before = image.copy()
    shown = figures.overlay_mask(image, mask, alpha=0.5, borders=False)
    np.testing.assert_array_equal(shown[mask == 0], image[mask == 0])
    expected = (image[10, 15].astype(float) + label_colors()[9]) / 2
    np.testing.assert_allclose(shown[10, 15], expected, atol=1)
    np.testing.assert_array_equal(image, before)


def test_overlay_draws_lines_around_every_part(image, mask):
    difference = figures.overlay_mask(image, mask, borders=False).astype(int) - figures.overlay_mask(image, mask)
    lines = (difference > 0).any(axis=-1)
    expected = np.zeros_like(lines)
    expected[5:35, [10, 29]] = expected[[5, 34], 10:30] = expected[19, 10:30] = True
    np.testing.assert_array_equal(lines, expected)


def test_overlay_refuses_a_mask_of_another_size(image, mask):
    with pytest.raises(ValueError, match=r"mask is \(56, 40\)"):
        figures.overlay_mask(image, mask.T)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.integers(1, 5))
def test_enlarged_labels_are_labels_that_are_there(seed, scale):
    mask = np.random.default_rng(seed).choice([0, 3, 17, 32], (9, 7)).astype(np.uint8)
    large = figures.upscale_mask(mask, scale)
    assert large.shape == (9 * scale, 7 * scale) and large.dtype == np.uint8
    assert set(np.unique(large)) <= set(np.unique(mask))
    if scale % 2:
        np.testing.assert_array_equal(large[scale // 2 :: scale, scale // 2 :: scale], mask)


def test_color_mask_gives_each_label_its_color():
    labels = np.arange(LABEL_COUNT, dtype=np.uint8)[None]
    np.testing.assert_array_equal(figures.color_mask(labels)[0, 1:], label_colors()[1:])
    assert figures.color_mask(labels, background=(1, 2, 3))[0, 0].tolist() == [1, 2, 3]


def test_square_crop_keeps_labels_and_geometry(mask):
    crop = figures.square_crop(mask, np.array([10, 5, 20, 30]), 60)
    assert crop.shape == (60, 60) and set(np.unique(crop)) == {0, 9, 25}
    rows, columns = np.nonzero(crop)
    assert abs(columns.mean() - 29.5) < 1.5 and abs(rows.mean() - 29.5) < 1.5
    assert np.ptp(rows) == pytest.approx(59, abs=1) and np.ptp(columns) == pytest.approx(39, abs=2)


def some_joints():
    joints = np.stack([np.linspace(8, 48, 42), np.tile(np.linspace(6, 34, 7), 6)], axis=1)
    return joints, np.ones(42, bool)


def test_skeleton_changes_only_the_neighbourhood_of_valid_bones(image):
    before, (joints, valid) = image.copy(), some_joints()
    valid[:21], joints[5] = False, np.nan
    drawn = figures.draw_skeleton(image, joints, valid, thickness=1)
    allowed = np.zeros(image.shape[:2], np.uint8)
    for child, parent in BONES[JOINT_HAND[BONES[:, 0]] == 1]:
        ends = [tuple(map(int, np.round(joints[k]))) for k in (child, parent)]
        cv2.line(allowed, *ends, 1, 9)
    changed = (drawn != image).any(axis=-1)
    assert changed.sum() > 100 and not changed[allowed == 0].any()
    np.testing.assert_array_equal(image, before)


def test_skeleton_without_valid_joints_is_the_picture(image):
    joints, valid = some_joints()
    np.testing.assert_array_equal(figures.draw_skeleton(image, joints, ~valid), image)
    np.testing.assert_array_equal(figures.draw_skeleton(image, np.full((42, 2), np.nan), valid), image)
    np.testing.assert_array_equal(figures.draw_skeleton(image, np.full((42, 2), 1e12), valid), image)


def test_skeleton_scale_maps_pixel_centres():
    black, (joints, valid) = np.zeros((20, 20, 3), np.uint8), some_joints()
    joints[:] = 7.0
    drawn = figures.draw_skeleton(black, joints, valid, scale=9, thickness=2, color=(255, 255, 255))
    rows, columns = np.nonzero(drawn.sum(axis=-1) > 300)
    assert rows.mean() == pytest.approx(7.5 * 9 - 0.5, abs=0.3) and columns.mean() == pytest.approx(67.0, abs=0.3)


def test_skeleton_colors_follow_the_parts():
    colors = figures.BONE_COLORS
    assert colors.shape == (40, 3)
    tip, right = LABEL_NAMES.index("r_index3"), LABEL_NAMES.index("l_thumb1")
    np.testing.assert_array_equal(colors[[k for k, bone in enumerate(BONES) if bone[0] == 4]], [label_colors()[tip]])
    np.testing.assert_array_equal(colors[[k for k, bone in enumerate(BONES) if bone[0] == 24]], [label_colors()[right]])
    with pytest.raises(ValueError, match="need joints"):
        figures.draw_skeleton(np.zeros((9, 9, 3), np.uint8), np.zeros((21, 2)), np.ones(21, bool))


def test_text_stays_inside_and_is_visible():
    block = figures.text_block(["short", "a line that is much too long for so narrow a block"], 120, 13)
    assert block.shape[1] == 120 and block.shape[0] == 2 * 18
    ink = (block != np.array(PAPER)).any(axis=-1)
    assert ink[:18].sum() > 30 and ink[18:].sum() > 30
    assert not ink[[0, -1]].any()
    assert text_width("short", 13) < 60 < text_width("a line that is much too long", 13)


def test_centred_text_is_in_the_middle():
    ink = (figures.text_block(["MOM"], 200, 14, align="center") != np.array(PAPER)).any(axis=(0, 2))
    columns = np.flatnonzero(ink)
    assert (columns[0] + columns[-1]) / 2 == pytest.approx(99.5, abs=2)


def test_grid_places_each_tile_in_the_middle_of_its_cell():
    tiles = [np.full((10, 20, 3), 200, np.uint8), np.full((20, 10, 3), 100, np.uint8), np.full((4, 4, 3), 50, np.uint8)]
    page = figures.grid(tiles, columns=2, gap=3, background=(0, 0, 0))
    assert page.shape == (2 * 20 + 9, 2 * 20 + 9, 3)
    np.testing.assert_array_equal(page[8:18, 3:23], tiles[0])
    np.testing.assert_array_equal(page[3:23, 31:41], tiles[1])
    np.testing.assert_array_equal(page[34:38, 11:15], tiles[2])
    assert figures.grid([], 3).shape == (8, 8, 3)


def test_legend_shows_every_label_color():
    strip = figures.legend(1100)
    assert strip.shape[1] == 1100
    shown = {tuple(color) for color in strip.reshape(-1, 3).tolist()}
    assert {tuple(color) for color in label_colors()[1:].tolist()} <= shown


def test_sheet_and_caption_have_room_for_everything():
    tile = np.full((64, 64, 3), 7, np.uint8)
    with_text = figures.caption(tile, ["first", "second"], "warning")
    np.testing.assert_array_equal(with_text[:64], tile)
    assert with_text.shape[0] > 64 + 3 * 11
    page = figures.sheet("Title", ["line"], [with_text] * 5, columns=3)
    assert (page == 7).all(axis=-1).sum() == 5 * 64 * 64
