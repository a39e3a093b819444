"""torchvision's networks, the big ones and the starters of their classes, behind the four stages."""

import copy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.image_list import ImageList
from torchvision.models.segmentation import LRASPP

from segdemo.labels import VOID
from segdemo.models import SCORE_THRESHOLD, Answer, Model, Precision, Progress
from segdemo.models.footprint import Footprint, footprint
from segdemo.models.mask_pasting import paste
from segdemo.models.parts import longest_side
from segdemo.models.placing import autocast
from segdemo.models.semantic import NetworkModel, SemanticModel, make_ready
from segdemo.models.spec import ModelSpec
from segdemo.models.torchvision_networks import build


def load(
    spec: ModelSpec, device: str, precision: Precision, trained: bool, progress: Progress | None = None,
    score_threshold: float = SCORE_THRESHOLD,
) -> Model:  # fmt: skip
    """Build the row's network, load its weights from their file, make it ready for inference on the device.

    Raises `WeightsError` where the weights cannot be had, are damaged, hold code or are of another network.
    """
    network = build(spec, trained, progress)
    make_ready(network, device, precision)
    if isinstance(network.module, MaskRCNN):
        return InstanceModel(spec, spec.space, device, precision, trained, network, score_threshold)
    return TorchvisionSemanticModel(spec, spec.space, device, precision, trained, network)


class TorchvisionSemanticModel(SemanticModel):
    """FCN, DeepLabV3 or LR-ASPP, with the preprocessing of their weights.

    In torchvision the network itself resizes its logits to its input's size; here that is a part of `postprocess`.
    """

    def logits(self, inputs: Tensor) -> Tensor:
        """Logits at an eighth of the input's size."""
        module = self.network.module
        features = module.backbone(inputs)
        return module.classifier(features if isinstance(module, LRASPP) else features["out"])

    def compile(self) -> None:
        """The encoder and the head."""
        self.network.module.backbone.compile()
        self.network.module.classifier.compile()


@dataclass(frozen=True)
class Shown:
    """Mask R-CNN's input. tiles: as how many pictures of the usual size it may hold things."""

    images: ImageList
    tiles: float = 1


@dataclass(frozen=True)
class Detections:
    """What Mask R-CNN finds, in pixels of its input, best first.

    found: per picture boxes (K, 4), labels (K,), scores (K,) above the threshold, and masks (K, 1, 28, 28) in [0, 1].
    """

    found: list[dict[str, Tensor]]
    input_hw: tuple[int, int]


@dataclass
class InstanceModel(NetworkModel):
    """Mask R-CNN up to its small masks, which `paste` takes to the picture; torchvision makes a full-size map of each.

    Only instances scored above the threshold get a mask. An untrained network scores none above 0.5: its time lacks the
    mask head.
    """

    score_threshold: float
    findings: ClassVar[str] = "as many detections as it may have, 100 at most"  # at a score threshold of 0
    class_ids: tuple[int, ...] = field(init=False)  # of the network's labels; VOID where the space has no such class

    def __post_init__(self) -> None:
        classes = self.space.classes
        self.class_ids = tuple(classes.index(name) if name in classes else VOID for name in self.network.classes)
        _prepare_detector(self.network.module, self.device, self.score_threshold)

    def compile(self) -> None:
        """The encoder: what Mask R-CNN does with its findings is no one graph."""
        self.network.module.backbone.compile()

    def preprocess(self, pictures: Tensor, tile: int | None = None) -> Shown:
        """As the network's own transform does, but normalised after the resize: both are linear, and this is less.

        tile: the side of a square of the pictures that is to be as large as usual; None: the whole.
        """
        transform = self.network.module.transform
        height, width = pictures.shape[-2:]
        times = min(height, width) / tile if tile else 1
        scale = times * min(self.network.shorter_side / min(height, width), transform.max_size / max(height, width))
        size_hw = (max(1, int(height * scale)), max(1, int(width * scale)))
        resized = F.interpolate(pictures.float(), size_hw, mode="bilinear")
        inputs = transform.batch_images(list(self.normalised(resized)), transform.size_divisible)
        tiles = max(1, height * width / tile**2) if tile else 1
        return Shown(ImageList(inputs, [size_hw] * len(pictures)), tiles)

    def longest_look(self, tile: int) -> int:
        """The side of the largest square of a picture for which there is memory, of some tiles."""
        return longest_side(tile, self._usual_hw, self._footprint)

    @cached_property
    def _footprint(self) -> Footprint | None:
        return footprint(self._features, self._usual_hw, self.device)

    def _features(self, inputs: Tensor) -> Tensor:
        """What takes the memory: all that comes before single proposals."""
        module = self.network.module
        with autocast(self.device, self.precision):
            features = list(module.backbone(inputs).values())
            module.rpn.head(features)
        return features[0]

    def forward(self, inputs: Shown) -> Detections:
        """Boxes, labels, scores, small masks."""
        module, images = self.network.module, inputs.images
        rpn, roi_heads = _for_tiles(module, inputs.tiles)
        with autocast(self.device, self.precision):
            features = module.backbone(images.tensors)
            proposals, _ = rpn(images, features)
            found, _ = roi_heads(features, proposals, images.image_sizes)
        return Detections(found, images.image_sizes[0])

    def postprocess(self, outputs: Detections, size_hw: tuple[int, int]) -> list[Answer]:
        """Instances, and the label map that they make."""
        return [paste(found, outputs.input_hw, size_hw, self.class_ids) for found in outputs.found]


def _for_tiles(module: MaskRCNN, tiles: float) -> tuple[Any, Any]:
    """The network's two later parts with room for so many times as many things; the network itself stays as it is."""
    rpn, roi_heads = copy.copy(module.rpn), copy.copy(module.roi_heads)
    for limits in ("_pre_nms_top_n", "_post_nms_top_n"):
        setattr(rpn, limits, {phase: round(tiles * most) for phase, most in getattr(rpn, limits).items()})
    roi_heads.detections_per_img = round(tiles * roi_heads.detections_per_img)
    return rpn, roi_heads


def _prepare_detector(module: MaskRCNN, device: str, score_threshold: float) -> None:
    roi_heads = module.roi_heads
    roi_heads.score_thresh = score_threshold
    for part in (module.backbone, module.rpn.head, roi_heads.box_predictor):
        part.register_forward_hook(_as_float32)
    # The RoI pools take the scales of their feature maps from the first picture they see, and keep them. A narrow
    # strip, mostly padding, gives wrong ones: so the first is a square.
    size_hw = (256, 256)
    with torch.inference_mode():
        features = module.backbone(torch.zeros(1, 3, *size_hw, device=device, dtype=next(module.parameters()).dtype))
        for pool in (roi_heads.box_roi_pool, roi_heads.mask_roi_pool):
            pool(features, [torch.tensor([[0.0, 0.0, 64.0, 64.0]], device=device)], [size_hw])


def _as_float32(_module: nn.Module, _inputs: Any, output: Any) -> Any:
    """Forward hook: boxes and logits are worked on in the precision they come in, and 1000 in bf16 is 2 pixels off."""
    if isinstance(output, Tensor):
        return output.float()
    if isinstance(output, dict):
        return {name: value.float() for name, value in output.items()}
    return type(output)(_as_float32(_module, _inputs, value) for value in output)
