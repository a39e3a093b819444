"""Maps of numbers become segments: the same as by NumPy, one number at a time."""

import numpy as np
import pytest

from segdemo.datasets import truth
from segdemo.errors import ImageError
from segdemo.labels import VOID


def blobs(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.kron(rng.integers(0, 9, (5, 7)), np.ones((4, 6), int)).astype(np.int32) * 70_000


@pytest.mark.parametrize("seed", range(5))
def test_numbering_is_that_of_numpy(seed):
    values, positions = truth.number(blobs(seed), "map")
    expected, inverse = np.unique(blobs(seed), return_inverse=True)
    np.testing.assert_array_equal(values, expected)
    np.testing.assert_array_equal(positions, inverse)


@pytest.mark.parametrize("seed", range(5))
def test_every_instance_is_cut_out_with_its_commonest_class(seed):
    instances = blobs(seed)
    labels = np.random.default_rng(seed).choice([0, 1, 2, VOID], instances.shape).astype(np.uint8)
    segments = truth.segments_of_instances(instances, labels, {1, 2}, "map")
    found = {}
    for (x1, y1, x2, y2), mask, class_id in zip(
        segments.boxes_xyxy.tolist(), segments.masks, segments.class_ids, strict=True
    ):
        assert mask[0].any()
        assert mask[-1].any()
        assert mask[:, 0].any()
        assert mask[:, -1].any()
        [value] = np.unique(instances[y1:y2, x1:x2][mask])
        assert mask.sum() == (instances == value).sum()
        found[value] = class_id
    expected = {}
    for value in np.unique(instances)[1:]:
        counts = np.bincount(labels[instances == value], minlength=256)[:VOID]
        if counts.argmax() in (1, 2):
            expected[value] = counts.argmax()
    assert found == expected
    assert segments.boxes_xyxy.dtype == np.int32


def test_a_map_without_instances_has_no_segments():
    segments = truth.segments_of_instances(np.zeros((3, 4), np.int32), np.ones((3, 4), np.uint8), {1}, "map")
    assert len(segments) == 0
    assert segments.boxes_xyxy.shape == (0, 4)


def test_a_map_of_too_many_numbers_is_refused(monkeypatch):
    monkeypatch.setattr(truth, "MOST_SEGMENTS", 10)
    with pytest.raises(ImageError, match="numbers 12 segments and at most 10"):
        truth.number(np.arange(12).reshape(3, 4), "map")
