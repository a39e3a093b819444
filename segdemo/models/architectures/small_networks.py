"""The starters of the architectures that neither torchvision nor transformers offers, in sizes that train from scratch.

Where the idea lies behind the backbone (DeepLabV3+, FPN, FastFCN, Segmenter) they share the thin ResNet of the
torchvision starters, and may begin with what it has learned.
"""

import segmentation_models_pytorch as smp
from segmentation_models_pytorch.decoders.deeplabv3.decoder import DeepLabV3PlusDecoder
from segmentation_models_pytorch.decoders.fpn.decoder import FPNDecoder
from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, ResNet

from segdemo.models.architectures.deeplab import DeepLab
from segdemo.models.architectures.fastfcn import FastFcn, FcnHead, JointPyramidUpsampling
from segdemo.models.architectures.segmenter import MaskTransformer, Segmenter, VisionTransformer
from segdemo.models.architectures.segnet import SegNet
from segdemo.models.architectures.small_torchvision import WIDTHS, thin_resnet

_VGG_WIDTHS = (32, 64, 96, 128, 160)
_FOURTH = 160  # channels of a fourth stage, where one is needed


class UNet(nn.Module):
    """U-Net (https://arxiv.org/abs/1505.04597): what the encoder saw at each size joins the decoder at that size."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.backbone = _striding_resnet()
        channels = (3, WIDTHS[0], *WIDTHS, _FOURTH)
        decoded = (128, 96, 64, 32, 16)
        self.decoder = UnetDecoder(channels, decoded, n_blocks=len(decoded))
        self.classifier = nn.Conv2d(decoded[-1], num_classes, 3, padding=1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits (N, C, H, W) of normalised pictures (N, 3, H, W)."""
        return self.classifier(self.decoder([pictures, *_stages(self.backbone, pictures)]))


def unet_small(num_classes: int) -> UNet:
    """U-Net over the thin ResNet, with the decoder of segmentation_models_pytorch."""
    return UNet(num_classes)


def efficientnet_unet_small(num_classes: int) -> nn.Module:
    """U-Net over EfficientNet-B0 up to 1/16 of the picture's size (segmentation_models_pytorch)."""
    network = smp.Unet(
        "efficientnet-b0", encoder_depth=4, encoder_weights=None, decoder_channels=(96, 48, 24, 16), classes=num_classes
    )
    encoder = network.encoder
    del encoder._blocks[encoder._out_indexes[2] + 1 :], encoder._conv_head, encoder._bn1
    return network


def segnet_small(num_classes: int) -> SegNet:
    """SegNet of VGG-16's depths and a fraction of its widths, the same as `deeplab_small`'s."""
    return SegNet(num_classes, widths=_VGG_WIDTHS)


def deeplab_small(num_classes: int) -> DeepLab:
    """DeepLab-LargeFOV of VGG-16's depths and a fraction of its widths."""
    return DeepLab(num_classes, widths=_VGG_WIDTHS, wide=192)


def fastfcn_small(num_classes: int) -> FastFcn:
    """FastFCN over the thin ResNet, which strides on where FCN's is dilated, and a fourth stage."""
    trunk = _striding_resnet()
    upsampling = JointPyramidUpsampling((WIDTHS[1], WIDTHS[2], _FOURTH), width=64)
    return FastFcn(trunk, upsampling, FcnHead(4 * 64, 96, num_classes))


class DeepLabV3Plus(nn.Module):
    """DeepLabV3+ (https://arxiv.org/abs/1802.02611): a separable atrous pyramid, then a decoder that sees 1/4, too."""

    def __init__(self, num_classes: int, channels: int = 96) -> None:
        super().__init__()
        self.backbone = thin_resnet()
        encoder_channels = [3, WIDTHS[0], WIDTHS[0], WIDTHS[1], WIDTHS[2]]
        self.decoder = DeepLabV3PlusDecoder(
            encoder_channels, 4, channels, (6, 12, 18), output_stride=8, aspp_separable=True, aspp_dropout=0.1
        )
        self.classifier = nn.Conv2d(channels, num_classes, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits (N, C, H / 4, W / 4) of normalised pictures (N, 3, H, W)."""
        return self.classifier(self.decoder([pictures, *_stages(self.backbone, pictures)]))


def deeplabv3plus_small(num_classes: int) -> DeepLabV3Plus:
    """DeepLabV3+ over the thin ResNet, with the decoder of segmentation_models_pytorch."""
    return DeepLabV3Plus(num_classes)


class FeaturePyramid(nn.Module):
    """FPN for classes (https://arxiv.org/abs/1901.02446): coarse maps are added to finer ones on the way down, and all
    of them, enlarged to 1/4, say together what is where. Both sides of a picture must be multiples of 32.
    """

    def __init__(self, num_classes: int, channels: int = 96) -> None:
        super().__init__()
        self.backbone = _striding_resnet()
        encoder_channels = [3, WIDTHS[0], *WIDTHS, _FOURTH]
        self.decoder = FPNDecoder(encoder_channels, 5, channels, channels, dropout=0.1)
        self.classifier = nn.Conv2d(channels, num_classes, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits (N, C, H / 4, W / 4) of normalised pictures (N, 3, H, W)."""
        return self.classifier(self.decoder(_stages(self.backbone, pictures)))


def fpn_small(num_classes: int) -> FeaturePyramid:
    """FPN over the thin ResNet, with the decoder of segmentation_models_pytorch."""
    return FeaturePyramid(num_classes)


class ConvolutionalEmbedding(nn.Module):
    """Tokens from a ResNet's features, as the hybrids of https://arxiv.org/abs/2010.11929: patches need more data."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.backbone = thin_resnet()
        self.proj = nn.Conv2d(WIDTHS[2], width, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, width, H / 8, W / 8)."""
        return self.proj(_stages(self.backbone, pictures)[-1])


def segmenter_small(num_classes: int, width: int = 128, heads: int = 4) -> Segmenter:
    """Segmenter with a mask transformer over the thin ResNet's features, four blocks and two."""
    encoder = VisionTransformer(ConvolutionalEmbedding(width), (24, 32), width, depth=4, heads=heads)
    decoder = MaskTransformer(num_classes, width, depth=2, heads=heads)
    return Segmenter(encoder, decoder, stride=8, window=480, step=480)  # it has learned from pictures of 352×472


def _striding_resnet() -> ResNet:
    """The thin ResNet without dilation, down to 1/32 of the picture's size in a fourth stage."""
    trunk = thin_resnet()
    trunk.inplanes = WIDTHS[1]
    trunk.layer3 = trunk._make_layer(BasicBlock, WIDTHS[2], len(trunk.layer3), stride=2)
    trunk.layer4 = trunk._make_layer(BasicBlock, _FOURTH, 2, stride=2)
    return trunk


def _stages(trunk: ResNet, pictures: Tensor) -> list[Tensor]:
    """Features of the first convolution, at half of the picture's size, and of each stage."""
    features = trunk.relu(trunk.bn1(trunk.conv1(pictures)))
    stages = [features]
    features = trunk.maxpool(features)
    for name, stage in trunk.named_children():
        if name.startswith("layer"):
            features = stage(features)
            stages.append(features)
    return stages
