import pytest
import torch
import torch.nn.functional as F

from segdemo.models import contenders, resizing
from segdemo.models.contenders import blocks_of_contenders
from segdemo.models.resizing import (
    Blend,
    blocks_of_rows,
    linear_shares,
    reach,
    resized_rows,
    resized_shares,
    resized_window,
)
from segdemo.models.upsampling import (
    first_maximum_,
    labels_from_logits,
    labels_from_probabilities,
    probabilities_from_logits,
)


def plainly(logits, size_hw):
    resized = F.interpolate(logits.float(), size=size_hw, mode="bilinear", align_corners=False)
    return resized.argmax(1), resized.softmax(1).amax(1)


SHAPES = [
    ((1, 5, 8, 8), (33, 47)),  # odd sizes
    ((2, 3, 7, 5), (7, 5)),  # no resizing
    ((3, 11, 40, 30), (41, 29)),  # a little up, a little down
    ((1, 21, 65, 87), (40, 31)),  # down
    ((1, 4, 1, 1), (9, 6)),  # a single source pixel
    ((1, 7, 64, 3), (3, 300)),  # down one way, up the other
    ((2, 1, 4, 4), (10, 10)),  # a single class
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("shape", "size_hw"), SHAPES)
def test_labels_and_confidence_equal_resizing_everything_first(shape, size_hw, dtype):
    logits = (torch.randn(shape, generator=torch.Generator().manual_seed(1)) * 3).to(dtype)
    labels, confidence = labels_from_logits(logits, size_hw)
    expected_labels, expected_confidence = plainly(logits, size_hw)
    assert labels.dtype == torch.uint8
    assert confidence.dtype == torch.float16
    assert torch.equal(labels.long(), expected_labels)
    assert torch.allclose(confidence.float(), expected_confidence, atol=6e-4)


@pytest.mark.parametrize("size_hw", [(48, 64), (36, 48), (60, 40)])
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_a_grid_as_fine_as_the_picture_gives_the_labels_of_the_plain_way(order, size_hw):
    logits = torch.randn(2, 11, 48, 64, generator=torch.Generator().manual_seed(7)).contiguous(memory_format=order)
    before = logits.clone()
    labels, confidence = labels_from_logits(logits, size_hw, (48, 64))
    expected_labels, expected_confidence = plainly(logits, size_hw)
    assert (labels == expected_labels).all()
    assert torch.allclose(confidence.float(), expected_confidence, atol=6e-4)
    assert torch.equal(logits, before)


@pytest.mark.parametrize("budget", [1, 5_000, 1 << 30])
def test_the_size_of_the_bands_changes_nothing(monkeypatch, budget):
    logits = torch.randn(2, 9, 13, 17, generator=torch.Generator().manual_seed(2))
    expected = labels_from_logits(logits, (50, 40))
    monkeypatch.setattr(resizing, "_BAND_BYTES_CPU", budget)
    found = labels_from_logits(logits, (50, 40))
    assert torch.equal(found[0], expected[0])
    assert torch.equal(found[1], expected[1])


def of_many_classes(spread, size_hw=(20, 30), classes=150):
    """Smooth scores of which one or the other class leads, as of a trained network."""
    coarse = torch.randn(2, classes, 5, 6, generator=torch.Generator().manual_seed(4)) * spread
    return F.interpolate(coarse, size_hw, mode="bicubic")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("size_hw", [(640, 480), (907, 701)])
@pytest.mark.parametrize("spread", [0.05, 20.0])  # all classes about equal; few in front
def test_of_many_classes_only_those_that_can_win_are_resized_and_the_answer_is_the_same(spread, size_hw, dtype):
    logits = of_many_classes(spread).to(dtype)
    blocks = list(blocks_of_contenders(logits, size_hw))
    assert sum(block.scores.numel() for block in blocks) < 0.4 * 2 * 150 * size_hw[0] * size_hw[1]
    labels, confidence = labels_from_logits(logits, size_hw)
    expected_labels, expected_confidence = plainly(logits, size_hw)
    assert (labels == expected_labels).float().mean() > 0.99998  # equal but for rounding
    assert torch.allclose(confidence.float(), expected_confidence, rtol=1.5e-3)


def test_contenders_are_the_same_however_the_grid_is_gone_through(monkeypatch):
    logits, size_hw = of_many_classes(20.0), (641, 487)
    whole = [block.classes for block in blocks_of_contenders(logits, size_hw)]
    monkeypatch.setattr(contenders, "_STRIP_CELLS", 1)
    strips = [block.classes for block in blocks_of_contenders(logits, size_hw)]
    assert len(whole) > 10
    assert all(torch.equal(a, b) for a, b in zip(whole, strips, strict=True))


def test_blocks_of_contenders_cover_every_pixel_once():
    seen = torch.zeros(2, 641, 487, dtype=torch.int)
    for block in blocks_of_contenders(of_many_classes(20.0), (641, 487)):
        assert block.scores.shape == (len(block.classes), *seen[block.place].shape)
        seen[block.place] += 1
    assert torch.all(seen == 1)


def test_of_many_equal_classes_the_first_wins():
    logits = of_many_classes(20.0)
    logits[:, 75:] = logits[:, :75]
    assert blocks_of_contenders(logits, (907, 701)) is not None
    assert labels_from_logits(logits, (907, 701))[0].max() < 75


@pytest.mark.parametrize(
    ("logits", "size_hw"),
    [
        (of_many_classes(30.0, classes=20), (301, 407)),  # too few classes to pay
        (of_many_classes(30.0), (40, 60)),  # hardly larger
        (torch.randn(1, 150, 20, 30), (301, 407)),  # any class may win anywhere
        (of_many_classes(400.0), (301, 407)),  # exponentials of one corner vanish beside those of another
        (torch.randn(1, 150, 1, 30), (100, 407)),  # no gap between rows
    ],
)
def test_where_looking_for_contenders_does_not_pay_all_classes_are_resized(logits, size_hw):
    assert blocks_of_contenders(logits, size_hw) is None
    assert torch.equal(labels_from_logits(logits, size_hw)[0], plainly(logits, size_hw)[0])


@pytest.mark.parametrize("size_hw", [(64, 50), (11, 50), (5, 3), (11, 7)])
@pytest.mark.parametrize("rows", [1, 4, 11])
def test_resized_rows_are_those_of_interpolate(size_hw, rows):
    maps = torch.randn(2, 3, 11, 7, generator=torch.Generator().manual_seed(3))
    blend = Blend.of(linear_shares(11, size_hw[0]))
    bands = [band.clone() for band in resized_rows(maps.split(rows, dim=2), blend, size_hw[1:])]
    expected = F.interpolate(maps, size=size_hw, mode="bilinear", align_corners=False)
    assert torch.allclose(torch.cat(bands, dim=2), expected, atol=1e-6)


@pytest.mark.parametrize("size_hw", [(50, 41), (24, 32), (6, 8), (3, 5)])
def test_two_resizings_after_one_another_are_one_blend(size_hw):
    maps = torch.randn(1, 3, 6, 8, generator=torch.Generator().manual_seed(4))
    blend = Blend.of(resized_shares(linear_shares(6, 24), size_hw[0]))
    bands = [band.clone() for band in resized_rows(maps.split(1, dim=2), blend, (32, size_hw[1]))]
    step = F.interpolate(maps, size=(24, 32), mode="bilinear", align_corners=False)
    expected = F.interpolate(step, size=size_hw, mode="bilinear", align_corners=False)
    assert torch.allclose(torch.cat(bands, dim=2), expected, atol=1e-6)


@pytest.mark.parametrize("size_hw", [(40, 30), (11, 7), (5, 50)])
def test_a_resized_window_is_a_part_of_the_whole(size_hw):
    maps = torch.randn(2, 11, 7, generator=torch.Generator().manual_seed(6))
    whole = F.interpolate(maps[None], size=size_hw, mode="bilinear", align_corners=False)[0]
    rows, columns = slice(1, 4), slice(2, 7)
    window = resized_window(maps, size_hw, rows, columns)
    assert torch.allclose(window, whole[:, rows, columns], atol=1e-6)


@pytest.mark.parametrize(("source", "target"), [(8, 31), (9, 9), (12, 5), (1, 6)])
def test_what_source_pixels_reach_is_what_changes_with_them(source, target):
    for first in range(source):
        for last in range(first, source):
            side = torch.zeros(1, 1, source)
            side[..., first : last + 1] = 1
            changed = F.interpolate(side, target, mode="linear", align_corners=False)[0, 0].nonzero().flatten().tolist()
            reached = reach(source, target, first, last)
            assert set(changed) <= set(range(target)[reached])
            assert reached.stop - reached.start <= len(changed) + 2


def test_of_equal_classes_the_first_wins():
    logits = torch.zeros(1, 6, 3, 3)
    logits[:, [2, 4]] = 1.5
    labels, _ = labels_from_logits(logits, (10, 10))
    assert (labels == 2).all()


def test_classes_that_differ_in_the_last_bit_are_told_apart():
    scores = torch.full((1, 3, 1, 2), 7.0)
    scores[0, 2, 0, 0] = torch.nextafter(torch.tensor(7.0), torch.tensor(8.0))
    scores[0, 0, 0, 1] = -torch.inf
    best, first = first_maximum_(scores.clone())
    assert torch.equal(best, scores.amax(1))
    assert first.tolist() == [[[2, 1]]]


@pytest.mark.parametrize("middle_hw", [None, (61, 83)])
@pytest.mark.parametrize("classes", [1, 2, 3, 19, 47, 48, 49, 150, 254, 255, 256, 257, 300])
def test_any_number_of_classes_and_ties_give_the_labels_of_the_plain_way(classes, middle_hw):
    """Whole numbers make ties, within and between the cells of the grid."""
    logits = of_many_classes(20.0, classes=classes)[:1].round()
    labels, confidence = labels_from_logits(logits, (307, 411), middle_hw)
    if middle_hw is not None:
        logits = F.interpolate(logits, middle_hw, mode="bilinear", align_corners=False)
    expected_labels, expected_confidence = plainly(logits, (307, 411))
    assert (labels == expected_labels).float().mean() > 0.9999  # equal but for rounding
    assert torch.allclose(confidence.float(), expected_confidence, atol=1e-3)
    bands = probabilities_from_logits(logits, (307, 411))
    again, _ = labels_from_probabilities(bands, (307, 411))
    assert (again == expected_labels).float().mean() > 0.999  # probabilities that differ in the last bit are ties


@pytest.mark.parametrize("classes", [255, 256, 300])
def test_the_last_of_many_classes_can_win(classes):
    logits = torch.zeros(1, classes, 2, 2)
    logits[:, -1] = 30
    labels, confidence = labels_from_logits(logits, (5, 5))
    assert (labels == classes - 1).all()
    assert (confidence == 1).all()


def test_logits_are_left_as_they_were():
    logits = torch.randn(1, 4, 6, 6)
    before = logits.clone()
    labels_from_logits(logits, (6, 6))
    assert torch.equal(logits, before)


def test_working_memory_stays_far_below_the_resized_logits():
    """Counts what is alive in the bands: 150 classes at 12 megapixels would be 7 GB."""
    logits = torch.randn(1, 150, 32, 32)
    size_hw = (3000, 4000)
    blend = Blend.of(linear_shares(32, size_hw[0]))
    bands = resized_rows(blocks_of_rows(logits, size_hw[1]), blend, size_hw[1:])
    band = next(bands)
    assert band.shape[2] * 150 * 4000 * 4 <= 4 << 20


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gives_the_same_labels():
    logits = torch.randn(2, 150, 32, 40, generator=torch.Generator().manual_seed(5)) * 3
    labels, confidence = labels_from_logits(logits.cuda(), (300, 200))
    expected_labels, expected_confidence = plainly(logits, (300, 200))
    assert (labels.cpu() == expected_labels).float().mean() > 0.9999
    assert torch.allclose(confidence.cpu().float(), expected_confidence, atol=1e-3)
