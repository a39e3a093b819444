"""Queries learn the segments of a picture, small ones too, whichever query answers for which."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from segdemo.training.set_prediction import Answers, Truth, set_prediction_loss

CLASSES = 3
NO_OBJECT = CLASSES


def street() -> Tensor:
    """Masks (3, 24, 32) of the road, of a car and of a person of six cells far away."""
    masks = torch.zeros(3, 24, 32)
    masks[1, 8:18, 3:15] = 1
    masks[2, 6:9, 25:27] = 1
    masks[0] = 1 - masks[1] - masks[2]
    return masks


def truth(masks: Tensor) -> Truth:
    return Truth.of(masks, torch.arange(len(masks)), (24, 32))


def said(classes: Sequence[int], masks: Tensor) -> tuple[Answers, Tensor]:
    """What sure queries say of these classes and masks (Q, 24, 32), with the pixels' embeddings."""
    logits = 30 * torch.eye(CLASSES + 1)[list(classes)]
    return Answers(logits[None], torch.eye(len(masks))[None]), 30 * (2 * masks[None] - 1)


def test_true_answers_cost_nothing_in_whatever_order_the_queries_give_them():
    masks = torch.cat([street(), torch.zeros(1, 24, 32)])
    order = [2, 3, 0, 1]
    answers, pixels = said(order, masks[order])
    assert set_prediction_loss([answers], pixels, [truth(street())]) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("wrong", ["class", "mask", "absent"])
def test_a_person_far_away_costs_as_much_as_the_road_when_it_is_wrong(wrong: str):
    def loss(segment: int) -> float:
        classes, masks = [0, 1, 2], street()
        if wrong == "class":
            classes[segment] = (segment + 1) % CLASSES
        elif wrong == "absent":
            classes[segment] = NO_OBJECT
        else:
            masks[segment] = 0
        answers, pixels = said(classes, masks)
        return float(set_prediction_loss([answers], pixels, [truth(street())]))

    assert loss(2) > 1
    assert loss(2) == pytest.approx(loss(0), rel=0.2)


def test_queries_learn_the_segments_from_noise():
    torch.manual_seed(0)
    classes = torch.randn(1, 6, CLASSES + 1, requires_grad=True)
    embeddings = torch.randn(1, 6, 8, requires_grad=True)
    pixels = torch.randn(1, 8, 24, 32, requires_grad=True)
    target = truth(street())
    optimiser = torch.optim.Adam([classes, embeddings, pixels], 0.05)
    for _ in range(200):
        optimiser.zero_grad()
        set_prediction_loss([Answers(classes, embeddings)], pixels, [target]).backward()
        optimiser.step()
    masks = torch.einsum("qd,dhw->qhw", embeddings[0], pixels[0]) > 0
    answered = classes[0].argmax(1)
    assert sorted(answered.tolist()) == [0, 1, 2, *[NO_OBJECT] * 3]
    for segment, mask in enumerate(street()):
        assert torch.equal(masks[answered == segment][0], mask > 0)


def test_each_layer_is_taught_and_each_picture_its_own_segments():
    answers, pixels = said([0, 1, 2], street())
    nothing = Answers(torch.zeros_like(answers.classes), torch.zeros_like(answers.embeddings))
    target = truth(street())
    one, two = (set_prediction_loss(layers, pixels, [target]) for layers in ([nothing], [nothing, nothing]))
    assert one > 1
    torch.testing.assert_close(two, 2 * one)
    mirrored = Truth.of(street().flip(-1), torch.arange(3), (24, 32))
    both = Answers(answers.classes.repeat(2, 1, 1), answers.embeddings.repeat(2, 1, 1))
    pictures = torch.cat([pixels, pixels.flip(-1)])
    assert set_prediction_loss([both], pictures, [target, mirrored]) == pytest.approx(0, abs=1e-3)
    assert set_prediction_loss([both], pictures, [target, target]) > 1


def test_what_is_smaller_than_two_cells_is_not_taught():
    masks = torch.zeros(2, 48, 64)
    masks[0, :2, :3] = 1  # one and a half cells
    masks[1, 10:14, 10:14] = 1  # four
    kept = Truth.of(masks, torch.tensor([1, 2]), (24, 32))
    assert kept.classes.tolist() == [2]
    assert kept.areas.tolist() == [4]
    assert kept.masks.sum() == 4


def test_a_picture_without_segments_teaches_silence():
    answers, pixels = said([0, NO_OBJECT], torch.zeros(2, 24, 32))
    nothing = Truth.of(torch.zeros(0, 24, 32), torch.zeros(0, dtype=torch.long), (24, 32))
    assert set_prediction_loss([answers], pixels, [nothing]) > 1
    silent, pixels = said([NO_OBJECT] * 2, torch.zeros(2, 24, 32))
    assert set_prediction_loss([silent], pixels, [nothing]) == pytest.approx(0, abs=1e-3)


def test_a_batch_that_overflowed_has_no_loss_and_stops_nothing():
    answers, pixels = said([0, 1, 2], street())
    broken = Answers(answers.classes * torch.nan, answers.embeddings)
    assert not torch.isfinite(set_prediction_loss([broken], pixels, [truth(street())]))
