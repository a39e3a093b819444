"""What a network of each kind is taught with, and what its validation score is.

Mask R-CNN: its own losses on thing instances; score: mask AP50.
Mask2Former: its own matched loss, one target mask per stuff class and per thing instance, and how well the embeddings
    of pixels, which its masks are made from, tell these targets apart; score: mean IoU of its semantic answer.
All others: class-weighted cross entropy of every pixel; score: mean IoU.

Strong class weights teach rare classes, and have the network answer with them too often. So the loss is told logits
that are shifted by what the weights exceed `_ANSWER_WEIGHTING` (logit adjustment, https://arxiv.org/abs/2007.07314):
what the network says without the shift is what it would say had it learned with that weighting.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.detection import MaskRCNN
from transformers import Mask2FormerForUniversalSegmentation

from segdemo.average_precision import average_precision, instance_answers
from segdemo.confusion import ClassCounts, count
from segdemo.errors import SegdemoError
from segdemo.labels import VOID, LabelSpace
from segdemo.prediction import Segments
from segdemo.sample import TrueSegments
from segdemo.training.augment import normalise
from segdemo.training.data import Pictures, class_weights
from segdemo.training.recipe import Recipe
from segdemo.training.set_prediction import Answers, Truth, set_prediction_loss

_MOST_INSTANCES = 512  # numbers of a crop's own instances and of those pasted into it
_SMALLEST_TARGET = 16  # pixels of an instance left in a crop
_DISCRIMINATION = 10.0  # the weight of `segment_discrimination` beside a matched loss of about 20
_TEMPERATURE = 0.1  # of its similarities
_ANSWER_WEIGHTING = 0.25  # starters learned with 0.5 gain 0.3 to 1.5 points of mean IoU, on CamVid val and on scenes


class Task(Protocol):
    """One way of teaching and scoring."""

    score_name: str

    def loss(self, network: nn.Module, rgb: Tensor, labels: Tensor, instances: Tensor) -> Tensor:
        """Scalar loss of one augmented batch."""

    def score(self, network: nn.Module, pictures: Pictures) -> float:
        """The validation score in [0, 1]; the network is in evaluation mode."""


def make(recipe: Recipe, network: nn.Module, space: LabelSpace, train: Pictures) -> Task:
    """The task of a network."""
    if isinstance(network, MaskRCNN):
        return InstanceTask(space, recipe.input_hw, recipe.crop_hw)
    if isinstance(network, Mask2FormerForUniversalSegmentation):
        return QueryTask(space, recipe.input_hw)
    if type(network).__name__.endswith(("UniversalSegmentation", "InstanceSegmentation")):
        raise SegdemoError(f"{recipe.network} cannot be trained here: of networks with queries only Mask2Former can.")
    weights, of_answers = (
        class_weights(train.labels, len(space.classes), strength).to(train.labels.device)
        for strength in (recipe.class_weighting, min(recipe.class_weighting, _ANSWER_WEIGHTING))
    )
    return SemanticTask(space, recipe.input_hw, weights, (weights / of_answers).log().view(-1, 1, 1))


@dataclass(frozen=True)
class SemanticTask:
    """Cross entropy with class weights; the logits are enlarged to the crop. weights: (C,); shift: (C, 1, 1)."""

    space: LabelSpace
    input_hw: tuple[int, int]
    weights: Tensor
    shift: Tensor
    score_name = "mean IoU"

    def loss(self, network: nn.Module, rgb: Tensor, labels: Tensor, instances: Tensor) -> Tensor:
        logits = enlarge(_logits(network(rgb)), labels.shape[-2:]) + self.shift
        return F.cross_entropy(logits, labels, weight=self.weights, ignore_index=VOID)

    def score(self, network: nn.Module, pictures: Pictures) -> float:
        return _mean_iou(network, pictures, self.space, self.input_hw, _logits)


@dataclass(frozen=True)
class QueryTask:
    """The loss of Mask2Former's queries, and one on the pixel embeddings: what they do not tell apart, no query can."""

    space: LabelSpace
    input_hw: tuple[int, int]
    score_name = "mean IoU"

    def loss(self, network: nn.Module, rgb: Tensor, labels: Tensor, instances: Tensor) -> Tensor:
        targets = [self._targets(one, ids) for one, ids in zip(labels, instances, strict=True)]
        whole: Any = network
        output = whole.model(pixel_values=rgb, output_hidden_states=True)
        pixels = output.pixel_decoder_last_hidden_state
        embedder = whole.model.transformer_module.decoder.mask_predictor.mask_embedder
        states = [state.transpose(0, 1) for state in output.transformer_decoder_intermediate_states]
        layers = [Answers(whole.class_predictor(state), embedder(state)) for state in states]
        truths = [Truth.of(masks, classes, pixels.shape[-2:]) for masks, classes in targets]
        apart = segment_discrimination(pixels, [masks for masks, _ in targets])
        return set_prediction_loss(layers, pixels, truths) + _DISCRIMINATION * apart

    def score(self, network: nn.Module, pictures: Pictures) -> float:
        def logits(output: Any) -> Tensor:
            shares = output.class_queries_logits.softmax(-1)[..., :-1]  # (B, Q, C)
            return torch.einsum("bqc,bqhw->bchw", shares, output.masks_queries_logits.sigmoid())

        return _mean_iou(network, pictures, self.space, self.input_hw, logits)

    def _targets(self, labels: Tensor, instances: Tensor) -> tuple[Tensor, Tensor]:
        stuff = [c for c in labels.unique().tolist() if c != VOID and c not in self.space.things]
        masks, classes = instance_masks(labels, instances)
        stuff_masks = labels == torch.tensor(stuff, device=labels.device).view(-1, 1, 1)
        return (
            torch.cat([stuff_masks, masks]).float(),
            torch.cat([torch.tensor(stuff, device=labels.device).long(), classes]),
        )


@dataclass(frozen=True)
class InstanceTask:
    """The four losses inside torchvision's Mask R-CNN (https://arxiv.org/abs/1703.06870)."""

    space: LabelSpace
    input_hw: tuple[int, int]
    crop_hw: tuple[int, int]
    score_name = "mask AP50"

    def loss(self, network: nn.Module, rgb: Tensor, labels: Tensor, instances: Tensor) -> Tensor:
        _keep_size(network, self.crop_hw)
        targets = []
        for one, ids in zip(labels, instances, strict=True):
            masks, classes = instance_masks(one, ids)
            targets.append({"boxes": boxes_of(masks), "labels": classes + 1, "masks": masks.to(torch.uint8)})
        return sum_of_losses(network, list(rgb), targets)

    def score(self, network: nn.Module, pictures: Pictures) -> float:
        _keep_size(network, self.input_hw)
        answers = []
        for rgb, labels, instances in zip(pictures.rgb, pictures.labels, pictures.instances, strict=True):
            [found] = network([normalise(rgb.float() / 255)])
            masks, classes = instance_masks(labels.long(), instances.long())
            answers.append(instance_answers(_true_segments(masks, classes), _segments(found), rgb.shape[-2:]))
        ap50 = average_precision(answers, len(self.space.classes)).ap50
        return 0.0 if math.isnan(ap50) else ap50


def segment_discrimination(embeddings: Tensor, segments: Sequence[Tensor]) -> Tensor:
    """How badly pixel embeddings tell segments apart: the mean over segments of the cross entropy of their pixels, each
    asked which segment's mean embedding it is most like, by cosine. As the instance discrimination loss of MaX-DeepLab
    (https://arxiv.org/abs/2012.00759).

    embeddings: (B, C, h, w). segments: of each picture, (N, H, W) float in [0, 1].
    Returns a float32 scalar, 0 where there is no segment.
    """
    losses = [embeddings.new_zeros(0, dtype=torch.float32)]
    with torch.autocast(embeddings.device.type, enabled=False):
        for embedding, masks in zip(embeddings, segments, strict=True):
            pixels = F.normalize(embedding.float().flatten(1), dim=0)  # (C, h · w)
            shares = F.interpolate(masks[None], embedding.shape[-2:], mode="area")[0].flatten(1)  # (N, h · w)
            centres = F.normalize(shares @ pixels.T, dim=1)
            likely = (centres @ pixels / _TEMPERATURE).log_softmax(0)
            losses.append(-(shares * likely).sum(1) / shares.sum(1).clamp(min=1e-6))
    each = torch.cat(losses)
    return each.sum() / max(1, len(each))


def sum_of_losses(network: Any, pictures: list[Tensor], targets: list[dict[str, Tensor]]) -> Tensor:
    """Mask R-CNN's training forward pass with the heads in float32: in bfloat16 their box arithmetic overflows."""
    images, targets = network.transform(pictures, targets)
    features = network.backbone(images.tensors)
    with torch.autocast(images.tensors.device.type, enabled=False):
        features = {level: values.float() for level, values in features.items()}
        proposals, proposal_losses = network.rpn(images, features, targets)
        _, head_losses = network.roi_heads(features, proposals, images.image_sizes, targets)
    return torch.stack(list((proposal_losses | head_losses).values())).sum()


def instance_masks(labels: Tensor, instances: Tensor) -> tuple[Tensor, Tensor]:
    """Masks (N, H, W) bool and class ids (N,) int64 of one instance map; instances too small to learn are left out."""
    areas = torch.bincount(instances.flatten(), minlength=_MOST_INSTANCES)
    areas[0] = 0
    ids = torch.nonzero(areas >= _SMALLEST_TARGET).flatten()
    masks = instances == ids.view(-1, 1, 1)
    classes = torch.zeros(_MOST_INSTANCES, dtype=torch.long, device=labels.device)
    classes[instances.flatten()] = labels.flatten()
    return masks, classes[ids]


def boxes_of(masks: Tensor) -> Tensor:
    """Boxes (N, 4) float32 x1, y1, x2, y2 around masks (N, H, W), right and bottom exclusive."""
    columns, rows = masks.any(1).int(), masks.any(2).int()
    x1, y1 = columns.argmax(1), rows.argmax(1)
    x2 = columns.shape[1] - columns.flip(1).argmax(1)
    y2 = rows.shape[1] - rows.flip(1).argmax(1)
    return torch.stack([x1, y1, x2, y2], 1).float()


def _true_segments(masks: Tensor, classes: Tensor) -> TrueSegments:
    boxes, cut = _cut(masks)
    return TrueSegments(boxes, cut, classes.cpu().numpy().astype(np.uint8), np.zeros(len(cut), bool))


def _segments(found: dict[str, Tensor]) -> Segments:
    """torchvision's answer to one picture, best first as it comes."""
    masks = found["masks"][:, 0] >= 0.5
    kept = masks.any((1, 2))
    boxes, cut = _cut(masks[kept])
    classes, scores = found["labels"][kept] - 1, found["scores"][kept].float()
    return Segments(boxes, cut, classes.cpu().numpy().astype(np.uint8), scores.cpu().numpy())


def _cut(masks: Tensor) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Boxes (N, 4) int32 of masks (N, H, W) bool, none of them empty, and what lies in them."""
    boxes = boxes_of(masks).int().cpu().numpy()
    full = masks.cpu().numpy()
    return boxes, tuple(mask[y1:y2, x1:x2] for mask, (x1, y1, x2, y2) in zip(full, boxes.tolist(), strict=True))


def enlarge(logits: Tensor, size_hw: torch.Size | tuple[int, int]) -> Tensor:
    """Logits (N, C, h, w) in float32 at another size, bilinear."""
    return F.interpolate(logits.float(), size_hw, mode="bilinear", align_corners=False)


def _logits(output: Any) -> Tensor:
    """Of torchvision's networks, of our own, and of transformers'."""
    if isinstance(output, Tensor):
        return output
    return output["out"] if isinstance(output, dict) and "out" in output else output.logits


def _keep_size(network: Any, size_hw: tuple[int, int]) -> None:
    """Let Mask R-CNN's own transform leave size and colours alone: both are done already."""
    transform = network.transform
    transform.min_size, transform.max_size = (min(size_hw),), max(size_hw)
    transform.image_mean, transform.image_std = [0.0] * 3, [1.0] * 3


def _mean_iou(
    network: nn.Module,
    pictures: Pictures,
    space: LabelSpace,
    input_hw: tuple[int, int],
    logits: Callable[[Any], Tensor],
) -> float:
    classes = len(space.classes)
    total = ClassCounts(np.zeros((classes, classes + 1), np.int64))
    for rgb, truth in zip(pictures.rgb.split(4), pictures.labels.split(4), strict=True):
        resized = F.interpolate(rgb.float() / 255, input_hw, mode="bilinear", antialias=True)
        output = logits(network(normalise(resized)))
        labels = enlarge(output, truth.shape[-2:]).argmax(1).to(torch.uint8)
        total = total + count(truth.cpu().numpy(), labels.cpu().numpy(), classes)
    return float(total.mean_iou().value)
