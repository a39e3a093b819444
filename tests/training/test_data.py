import numpy as np
import pytest
import torch

from segdemo.labels import CAMVID
from segdemo.training import data
from segdemo.training.tasks import boxes_of, instance_masks

CAR, ROAD, PEDESTRIAN = 8, 3, 9


def test_connected_parts_of_thing_classes_become_instances():
    labels = np.full((40, 60), ROAD, np.uint8)
    labels[5:15, 5:15] = CAR
    labels[5:15, 30:40] = CAR
    labels[20:30, 5:15] = PEDESTRIAN
    labels[0, 0] = CAR  # a speck
    instances = data._connected_things(labels, CAMVID)
    assert instances[0, 0] == 0
    assert instances[25, 50] == 0
    numbers = {int(instances[10, 10]), int(instances[10, 35]), int(instances[25, 10])}
    assert numbers == {1, 2, 3}


def test_scenes_come_with_the_instances_of_their_labels():
    scenes = data.from_scenes(0, 3, (60, 80))
    assert scenes.rgb.shape == (3, 3, 60, 80)
    things = torch.tensor(sorted(CAMVID.things))
    assert torch.isin(scenes.labels[scenes.instances > 0].long(), things).all()


def test_rare_classes_weigh_more():
    labels = torch.zeros(10, 10, dtype=torch.uint8)
    labels[0, 0] = 1
    weights = data.class_weights(labels, 2, strength=0.5)
    assert float(weights[1] / weights[0]) == pytest.approx(99**0.5)
    assert float(weights.mean()) == pytest.approx(1)
    assert torch.equal(data.class_weights(labels, 2, strength=0), torch.ones(2))


def test_boxes_enclose_masks_with_right_and_bottom_exclusive():
    labels = torch.full((30, 40), ROAD)
    instances = torch.zeros(30, 40, dtype=torch.long)
    instances[4:10, 6:20] = 5
    labels[4:10, 6:20] = CAR
    masks, classes = instance_masks(labels, instances)
    assert boxes_of(masks).tolist() == [[6, 4, 20, 10]]
    assert classes.tolist() == [CAR]


def test_a_crop_without_things_has_no_instances():
    masks, classes = instance_masks(torch.full((8, 8), ROAD), torch.zeros(8, 8, dtype=torch.long))
    assert masks.shape == (0, 8, 8)
    assert boxes_of(masks).shape == (0, 4)
    assert classes.shape == (0,)
