import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from segdemo import overlay
from segdemo.labels import CAMVID, VOID, LabelSpace
from segdemo.prediction import Prediction, Segments, StageTimes

PALETTE = CAMVID.palette()


def noise(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture and a label map of blocks, VOID among them."""
    rng = np.random.default_rng(7)
    ids = np.array([0, 3, 8, 9, VOID], np.uint8)
    blocks = rng.choice(ids, (-(-height // 4), -(-width // 4)))
    labels = np.kron(blocks, np.ones((4, 4), np.uint8))[:height, :width].astype(np.uint8)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8), labels


def prediction(labels: np.ndarray, space: LabelSpace = CAMVID) -> Prediction:
    return Prediction("starter/fcn", space, labels, None, None, StageTimes(0.0, 0.1, 0.2, 0.3))


def one_segment(mask: np.ndarray, x1: int, y1: int, class_id: int) -> Segments:
    height, width = mask.shape
    return Segments(
        boxes_xyxy=np.array([[x1, y1, x1 + width, y1 + height]], np.int32),
        masks=(mask,),
        class_ids=np.array([class_id], np.uint8),
        scores=np.array([0.9], np.float32),
    )


def test_every_label_gets_its_colour():
    _, labels = noise(9, 13)

    np.testing.assert_array_equal(overlay.colorize(labels, PALETTE), PALETTE[labels])


@pytest.mark.parametrize("opacity", [0.0, 0.3, 0.5, 1.0])
def test_a_blend_is_the_mean_of_picture_and_colour_by_opacity(opacity):
    rgb, labels = noise(17, 23)

    blended = overlay.blend(rgb, labels, PALETTE, opacity)

    exact = (1 - opacity) * rgb + opacity * PALETTE[labels].astype(float)
    drawn = labels != VOID
    assert np.abs(blended[drawn] - exact[drawn]).max() <= 1.0
    assert blended.dtype == np.uint8


@pytest.mark.parametrize("outlines", [False, True])
def test_hidden_classes_and_void_stay_exactly_the_picture(outlines):
    rgb, labels = noise(17, 23)

    blended = overlay.blend(rgb, labels, PALETTE, 0.7, visible=[3, 8], outlines=outlines)

    hidden = ~np.isin(labels, [3, 8])
    np.testing.assert_array_equal(blended[hidden], rgb[hidden])
    assert (blended[~hidden] != rgb[~hidden]).any()


def test_void_is_never_drawn_even_when_it_is_asked_for():
    rgb, labels = noise(8, 8)

    blended = overlay.blend(rgb, labels, PALETTE, 1.0, visible=[VOID], outlines=True)

    np.testing.assert_array_equal(blended, rgb)


def test_nothing_visible_is_the_picture():
    rgb, labels = noise(8, 8)

    np.testing.assert_array_equal(overlay.blend(rgb, labels, PALETTE, 1.0, visible=[], outlines=True), rgb)


def test_drawing_leaves_its_inputs_as_they_were():
    rgb, labels = noise(12, 12)
    palette = PALETTE.copy()
    segments = one_segment(np.ones((5, 6), np.bool_), 2, 3, 8)
    for array in (rgb, labels, palette):
        array.flags.writeable = False

    before = rgb.copy(), labels.copy(), palette.copy()
    overlay.draw_segments(overlay.blend(rgb, labels, palette, 0.5, None, True), segments, palette)
    overlay.fit(rgb, labels, 5)

    for array, as_it_was in zip((rgb, labels, palette), before, strict=True):
        np.testing.assert_array_equal(array, as_it_was)


def test_outlines_are_the_full_class_colour_at_any_opacity():
    rgb, _ = noise(6, 8)
    labels = np.full((6, 8), 3, np.uint8)
    labels[:, 4:] = 8

    blended = overlay.blend(rgb, labels, PALETTE, opacity=0.0, outlines=True)

    np.testing.assert_array_equal(blended[:, 3], np.broadcast_to(PALETTE[3], (6, 3)))
    np.testing.assert_array_equal(blended[:, 4], np.broadcast_to(PALETTE[8], (6, 3)))
    np.testing.assert_array_equal(blended[:, :3], rgb[:, :3])
    np.testing.assert_array_equal(blended[:, 5:], rgb[:, 5:])


def test_boundaries_are_the_pixels_beside_another_label():
    labels = np.array([[1, 1, 1, 1], [1, 1, 2, 1], [1, 1, 1, 1]], np.uint8)

    edge = overlay.boundaries(labels)

    np.testing.assert_array_equal(edge, [[0, 0, 1, 0], [0, 1, 1, 1], [0, 0, 1, 0]])


def test_a_picture_of_one_pixel_has_no_boundary():
    assert not overlay.boundaries(np.zeros((1, 1), np.uint8)).any()


def test_a_picture_of_another_size_than_its_labels_is_refused():
    rgb, labels = noise(6, 8)

    with pytest.raises(ValueError, match=r"\(6, 8, 3\).*\(8, 6, 3\)"):
        overlay.blend(rgb.transpose(1, 0, 2), labels, PALETTE)


@pytest.mark.parametrize("opacity", [-0.1, 1.5, float("nan")])
def test_an_opacity_outside_0_to_1_is_refused(opacity):
    rgb, labels = noise(6, 8)

    with pytest.raises(ValueError, match="opacity"):
        overlay.blend(rgb, labels, PALETTE, opacity)


def test_the_background_is_not_drawn_by_default():
    space = LabelSpace("three", ("nothing", "cat", "dog"), ((0, 0, 0), (1, 2, 3), (4, 5, 6)), background=0)

    assert overlay.foreground(space) == {1, 2}
    assert overlay.foreground(CAMVID) == set(range(11))


def test_an_instance_is_outlined_inside_its_own_mask_and_nowhere_else():
    rgb = np.zeros((20, 20, 3), np.uint8)
    mask = np.zeros((7, 9), np.bool_)
    mask[1:6, 2:8] = True

    drawn = overlay.draw_segments(rgb, one_segment(mask, 5, 4, 8), PALETTE, width=1)

    changed = (drawn != rgb).any(axis=2)
    expected = np.zeros((20, 20), np.bool_)
    expected[5:10, 7:13] = True
    expected[6:9, 8:12] = False
    np.testing.assert_array_equal(changed, expected)


def test_an_outline_closes_at_the_border_of_the_picture():
    rgb = np.zeros((4, 4, 3), np.uint8)

    drawn = overlay.draw_segments(rgb, one_segment(np.ones((4, 4), np.bool_), 0, 0, 8), PALETTE, width=1)

    changed = (drawn != rgb).any(axis=2)
    assert changed.sum() == 12
    assert not changed[1:3, 1:3].any()


def test_the_best_instance_is_drawn_on_top():
    mask = np.ones((3, 3), np.bool_)
    segments = Segments(
        np.array([[0, 0, 3, 3], [0, 0, 3, 3]], np.int32), (mask, mask),
        np.array([8, 9], np.uint8), np.array([0.9, 0.5], np.float32),
    )  # fmt: skip
    rgb = np.zeros((3, 3, 3), np.uint8)

    drawn = overlay.draw_segments(rgb, segments, PALETTE)

    best_alone = overlay.draw_segments(rgb, one_segment(mask, 0, 0, 8), PALETTE)
    np.testing.assert_array_equal(drawn, best_alone)


def test_instances_of_hidden_classes_are_not_outlined():
    rgb = np.zeros((4, 4, 3), np.uint8)
    segments = one_segment(np.ones((4, 4), np.bool_), 0, 0, 8)

    assert not overlay.draw_segments(rgb, segments, PALETTE, visible=[9]).any()


def test_the_legend_lists_what_is_in_the_picture_largest_first():
    labels = np.full((10, 10), 3, np.uint8)
    labels[:2] = 0
    labels[2, :5] = VOID

    rows = overlay.legend(prediction(labels))

    assert [(r.class_id, r.name, r.pixels, r.share) for r in rows] == [
        (3, "road", 75, 0.75),
        (0, "sky", 20, 0.2),
        (VOID, "nothing assigned", 5, 0.05),
    ]
    assert rows[0].color == CAMVID.colors[3]


def test_the_legend_shows_the_palette_it_is_given():
    palette = np.full((256, 3), 77, np.uint8)

    [row] = overlay.legend(prediction(np.zeros((2, 2), np.uint8)), palette)

    assert row.color == (77, 77, 77)


@pytest.mark.parametrize("size_hw", [(40, 61), (61, 40), (1, 90), (33, 33)])
def test_a_picture_that_is_fitted_keeps_its_proportions_and_invents_no_label(size_hw):
    rgb, labels = noise(*size_hw)

    small_rgb, small = overlay.fit(rgb, labels, 20)

    assert small_rgb.shape == (*small.shape, 3)
    assert max(small.shape) == 20
    assert abs(small.shape[0] / small.shape[1] - size_hw[0] / size_hw[1]) < 0.1
    assert set(np.unique(small)) <= set(np.unique(labels))
    assert small.dtype == small_rgb.dtype == np.uint8


def test_fitted_labels_are_those_pillow_calls_nearest():
    rgb, labels = noise(37, 53)

    _, small = overlay.fit(rgb, labels, 20)

    nearest = Image.fromarray(labels).resize(small.shape[::-1], Image.Resampling.NEAREST)
    np.testing.assert_array_equal(small, np.asarray(nearest))


def test_a_picture_that_fits_is_left_alone():
    rgb, labels = noise(10, 20)

    same_rgb, same = overlay.fit(rgb, labels, 20)

    assert same_rgb is rgb
    assert same is labels


def test_segments_are_fitted_as_their_pixels_in_a_label_map_are():
    labels = np.zeros((90, 120), np.uint8)
    rng = np.random.default_rng(3)
    mask = rng.random((31, 47)) > 0.3
    labels[13:44, 20:67][mask] = 8

    segments = overlay.fit_segments(one_segment(mask, 20, 13, 8), labels.shape, 50)
    _, small = overlay.fit(np.zeros((90, 120, 3), np.uint8), labels, 50)

    x1, y1, x2, y2 = segments.boxes_xyxy[0]
    redrawn = np.zeros_like(small)
    redrawn[y1:y2, x1:x2][segments.masks[0]] = 8
    np.testing.assert_array_equal(redrawn, small)


def test_segments_too_small_to_be_seen_are_left_out():
    speck = one_segment(np.ones((1, 1), np.bool_), 0, 0, 8)

    assert len(overlay.fit_segments(speck, (1000, 1000), 10)) == 0


@pytest.mark.parametrize(("encode", "name"), [(overlay.encode_jpeg, "JPEG"), (overlay.encode_png, "PNG")])
def test_encoded_pictures_open_again(encode, name):
    rgb = np.full((20, 30, 3), (200, 100, 50), np.uint8)

    picture = Image.open(io.BytesIO(encode(rgb)))

    assert (picture.format, picture.mode, picture.size) == (name, "RGB", (30, 20))
    assert np.abs(np.asarray(picture).astype(int) - rgb).max() <= 2


def test_objects_are_numbered_from_the_best_and_the_best_lies_on_top():
    labels = np.full((4, 6), CAMVID.classes.index("road"), np.uint8)
    car, road = CAMVID.classes.index("car"), CAMVID.classes.index("road")
    segments = Segments(
        boxes_xyxy=np.array([[1, 1, 3, 3], [0, 0, 6, 4], [2, 2, 5, 4]], np.int32),
        masks=tuple(np.ones(shape, np.bool_) for shape in ((2, 2), (4, 6), (2, 3))),
        class_ids=np.array([car, road, car], np.uint8),
        scores=np.array([0.9, 0.8, 0.7], np.float32),
    )
    answer = Prediction("starter/mask2former", CAMVID, labels, None, segments, StageTimes(0, 0, 0, 0))
    numbers = overlay.object_numbers(answer)
    assert numbers.tolist() == [
        [0, 0, 0, 0, 0, 0],
        [0, 1, 1, 0, 0, 0],
        [0, 1, 1, 3, 3, 0],
        [0, 0, 3, 3, 3, 0],
    ]  # the road is no object
    assert overlay.object_numbers(replace(answer, segments=None)) is None


def test_a_shrunk_map_holds_its_own_values():
    values = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert overlay.nearest(values, 4).tolist() == values.tolist()
    assert set(overlay.nearest(values, 2).ravel().tolist()) <= set(range(12))
    assert overlay.nearest(values, 2).shape == (2, 2)
