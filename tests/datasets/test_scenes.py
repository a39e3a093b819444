"""Generated scenes as a data set: named by count and seed, the same every time."""

import numpy as np
import pytest

from segdemo.datasets import open_dataset
from segdemo.datasets.street_scenes import street_scene
from segdemo.errors import ImageError
from segdemo.labels import CAMVID


def test_scenes_come_with_labels_and_exact_instances():
    dataset = open_dataset("street-scenes:2:950000")
    assert len(dataset) == 2
    sample, scene = dataset.read(1), street_scene(950_001)
    assert sample.name == "street-scenes/950001"
    assert not sample.image.rgb.flags.writeable
    np.testing.assert_array_equal(sample.image.rgb, scene.rgb)
    np.testing.assert_array_equal(sample.labels, scene.labels)
    assert sample.segments.class_ids.tolist() == list(scene.instance_classes)
    painted = np.zeros_like(scene.instances)
    for number, ((x1, y1, x2, y2), mask) in enumerate(
        zip(sample.segments.boxes_xyxy, sample.segments.masks, strict=True), 1
    ):
        painted[y1:y2, x1:x2][mask] = number
    np.testing.assert_array_equal(painted, scene.instances)
    with pytest.raises(IndexError):
        dataset.read(2)


def test_no_starter_has_seen_the_scenes_that_come_by_themselves():
    """They learned from seeds from 1,000 on, and some chose their best step by 60 from 900,000 on."""
    dataset = open_dataset("street-scenes")
    assert dataset.space is CAMVID
    assert dataset.first_seed >= 900_060


def test_the_digest_is_that_of_the_scenes():
    assert open_dataset("street-scenes:3").digest == open_dataset("street-scenes:3").digest
    others = {open_dataset(f"street-scenes:{numbers}").digest for numbers in ("3", "4", "3:5")}
    assert len(others) == 3


@pytest.mark.parametrize("numbers", ["0", "-1", "x", "", "3:", "3:4:5", "1000000", "3:x", "²", "9" * 5000])
def test_other_numbers_are_refused(numbers):
    with pytest.raises(ImageError, match="COUNT:SEED"):
        open_dataset(f"street-scenes:{numbers}")
