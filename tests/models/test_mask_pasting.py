import numpy as np
import pytest
import torch
from torchvision.models.detection.roi_heads import paste_masks_in_image

from segdemo.labels import VOID
from segdemo.models.mask_pasting import paste

CLASS_IDS = (VOID, 3, 5, VOID, 7)  # of the network's labels 0 to 4


def detections(boxes, labels, scores, masks=None):
    full = torch.ones(len(boxes), 1, 28, 28)
    return {
        "boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        "labels": torch.tensor(labels, dtype=torch.int64),
        "scores": torch.tensor(scores, dtype=torch.float32),
        "masks": full if masks is None else masks,
    }


def full_size(segments, size_hw):
    maps = np.zeros((len(segments), *size_hw), bool)
    for full, mask, (x1, y1, x2, y2) in zip(maps, segments.masks, segments.boxes_xyxy, strict=True):
        full[y1:y2, x1:x2] = mask
    return maps


@pytest.mark.parametrize("size_hw", [(97, 141), (20, 300), (9, 9)])
def test_masks_equal_torchvisions_pasting(size_hw):
    generator = torch.Generator().manual_seed(1)
    height, width = size_hw
    corners = torch.rand(40, 2, 2, generator=generator) * torch.tensor([width, height])
    boxes = torch.cat([corners.amin(1), corners.amax(1)], 1)  # many touch the picture's edge once they are expanded
    boxes[0] = torch.tensor([0, 0, width, height])
    masks = torch.rand(40, 1, 28, 28, generator=generator)
    found = detections(boxes.tolist(), [1] * 40, [0.9] * 40, masks)
    expected = paste_masks_in_image(masks, boxes, size_hw)[:, 0].numpy() >= 0.5
    answer = paste(found, size_hw, size_hw, CLASS_IDS)
    np.testing.assert_array_equal(full_size(answer.segments, size_hw), expected[expected.any((1, 2))])


def test_boxes_are_scaled_from_the_networks_input_to_the_picture():
    answer = paste(detections([[10, 10, 30, 20]], [1], [0.9]), (50, 50), (100, 200), CLASS_IDS)
    np.testing.assert_allclose(answer.segments.boxes_xyxy, [[40, 20, 120, 40]], atol=2)


def test_the_best_instance_is_painted_on_top():
    answer = paste(detections([[0, 0, 20, 20], [10, 0, 30, 20]], [1, 2], [0.9, 0.6]), (20, 40), (20, 40), CLASS_IDS)
    assert answer.labels[10, 15] == 3
    assert answer.labels[10, 25] == 5
    assert answer.labels[10, 38] == VOID
    assert answer.confidence[10, 15] == pytest.approx(0.9, abs=1e-3)
    assert answer.confidence[10, 25] == pytest.approx(0.6, abs=1e-3)
    assert answer.confidence[10, 38] == 0


def test_confidence_is_score_times_mask_probability():
    masks = torch.full((1, 1, 28, 28), 0.75)
    answer = paste(detections([[0, 0, 20, 20]], [1], [0.8], masks), (20, 20), (20, 20), CLASS_IDS)
    assert answer.confidence[10, 10] == pytest.approx(0.6, abs=1e-3)
    assert answer.labels.dtype == np.uint8
    assert answer.confidence.dtype == np.float16


def test_boxes_close_tightly_around_the_masks():
    masks = torch.zeros(1, 1, 28, 28)
    masks[..., 14:, :14] = 1  # the lower left quarter
    answer = paste(detections([[20, 20, 76, 76]], [1], [0.8], masks), (100, 100), (100, 100), CLASS_IDS)
    [mask], [(x1, y1, x2, y2)] = answer.segments.masks, answer.segments.boxes_xyxy
    assert (abs(x1 - 20), abs(y1 - 48), abs(x2 - 48), abs(y2 - 76)) <= (1, 1, 1, 1)
    assert all(edge.any() for edge in (mask[0], mask[-1], mask[:, 0], mask[:, -1]))


def test_instances_without_a_pixel_or_without_a_class_are_left_out():
    masks = torch.stack([torch.ones(1, 28, 28), torch.zeros(1, 28, 28), torch.ones(1, 28, 28)])
    boxes = [[0, 0, 5, 5], [5, 5, 15, 15], [10, 10, 19, 19]]
    answer = paste(detections(boxes, [3, 1, 4], [0.9, 0.8, 0.7], masks), (20, 20), (20, 20), CLASS_IDS)
    assert answer.segments.class_ids.tolist() == [7]
    assert answer.segments.scores == pytest.approx([0.7])
    assert set(np.unique(answer.labels)) == {7, VOID}


def test_a_picture_without_instances_is_all_void():
    answer = paste(detections([], [], [], torch.zeros(0, 1, 28, 28)), (20, 30), (40, 60), CLASS_IDS)
    assert len(answer.segments) == 0
    assert answer.labels.shape == (40, 60)
    assert (answer.labels == VOID).all()
    assert (answer.confidence == 0).all()
