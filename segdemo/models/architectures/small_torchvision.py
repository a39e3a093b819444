"""The starters' torchvision networks: the classes of the big ones over a thin ResNet.

Half of ResNet-18's widths and three of its stages: a few hundred street pictures do not fill more, it trains from
scratch in under an hour on two CPU cores, and each network stays under 4 million parameters.
"""

from collections import OrderedDict

from torch import nn
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.rpn import RPNHead
from torchvision.models.resnet import BasicBlock, ResNet
from torchvision.models.segmentation.deeplabv3 import ASPP, DeepLabV3
from torchvision.models.segmentation.fcn import FCN, FCNHead
from torchvision.ops import MultiScaleRoIAlign

WIDTHS = (32, 64, 128)
BLOCKS = (2, 2, 4)
_DILATIONS = (
    1,
    2,
    4,
    8,
)  # of the third stage's blocks: the last sees 250 pixels of the picture at 1/8 of its size


def thin_resnet() -> ResNet:
    """A ResNet of basic blocks (https://arxiv.org/abs/1512.03385), 1.2 million parameters, without a classifier.

    The third stage keeps 1/8 of the picture's size and dilates its kernels instead of striding on.
    """
    trunk = ResNet(BasicBlock, [1, 1, 1, 1])
    del trunk.layer4, trunk.fc, trunk.avgpool
    trunk.inplanes = WIDTHS[0]
    trunk.conv1 = nn.Conv2d(3, WIDTHS[0], kernel_size=7, stride=2, padding=3, bias=False)
    trunk.bn1 = nn.BatchNorm2d(WIDTHS[0])
    trunk.layer1 = trunk._make_layer(BasicBlock, WIDTHS[0], BLOCKS[0])
    trunk.layer2 = trunk._make_layer(BasicBlock, WIDTHS[1], BLOCKS[1], stride=2)
    trunk.layer3 = trunk._make_layer(BasicBlock, WIDTHS[2], BLOCKS[2])
    for block, dilation in zip(trunk.layer3, _DILATIONS, strict=True):
        for conv in (block.conv1, block.conv2):
            conv.dilation = conv.padding = (dilation, dilation)
    return trunk


def fcn_small(num_classes: int) -> FCN:
    """FCN with torchvision's head; 1.3 million parameters."""
    trunk = IntermediateLayerGetter(thin_resnet(), {"layer3": "out"})
    return FCN(trunk, FCNHead(WIDTHS[-1], num_classes))


def deeplabv3_small(num_classes: int, channels: int = 96) -> DeepLabV3:
    """DeepLabV3 with torchvision's atrous pyramid (rates 6, 12, 18) in `channels` channels; 1.8 million parameters."""
    trunk = IntermediateLayerGetter(thin_resnet(), {"layer3": "out"})
    head = nn.Sequential(
        ASPP(WIDTHS[-1], [6, 12, 18], channels),
        nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.Conv2d(channels, num_classes, 1),
    )
    return DeepLabV3(trunk, head)


def maskrcnn_small(num_classes: int, channels: int = 64) -> MaskRCNN:
    """Mask R-CNN with a feature pyramid of `channels` channels; label 0 is background, class id = label - 1.

    Anchors are sized for pictures whose shorter side is 360 to 672 pixels: a far pedestrian is 10 wide, a near car 250.
    """
    names = OrderedDict(layer1="0", layer3="1")
    backbone = BackboneWithFPN(thin_resnet(), names, [WIDTHS[0], WIDTHS[2]], channels)
    levels = [
        "0",
        "1",
    ]  # 1/4 and 1/8 of the picture's size; the pyramid adds 1/16 for the proposals of near cars
    anchors = AnchorGenerator(((10, 16, 25), (40, 60, 90), (135, 200, 300)), ((0.4, 1.0, 2.2),) * 3)
    labels = num_classes + 1
    return MaskRCNN(
        backbone,
        min_size=360,
        max_size=1440,
        rpn_anchor_generator=anchors,
        rpn_head=RPNHead(channels, anchors.num_anchors_per_location()[0]),
        rpn_pre_nms_top_n_train=600,
        rpn_pre_nms_top_n_test=1000,
        rpn_post_nms_top_n_train=400,
        rpn_post_nms_top_n_test=500,
        rpn_batch_size_per_image=128,
        box_roi_pool=MultiScaleRoIAlign(levels, output_size=7, sampling_ratio=2),
        box_head=TwoMLPHead(channels * 7 * 7, 128),
        box_predictor=FastRCNNPredictor(128, labels),
        box_batch_size_per_image=96,
        mask_roi_pool=MultiScaleRoIAlign(levels, output_size=14, sampling_ratio=2),
        mask_head=MaskRCNNHeads(channels, (64, 64), 1),
        mask_predictor=MaskRCNNPredictor(64, 64, labels),
    )
