"""Speeds that others have published, each with what is known of how it was measured. None is comparable with ours."""

from dataclasses import dataclass
from typing import Final

_ZOO = "https://github.com/open-mmlab/mmsegmentation/tree/main/configs"
_MMSEG = "MMSegmentation's model zoo, 2021 to 2022: batch 1, network and post-processing, without loading; the GPU "


@dataclass(frozen=True)
class PublishedTime:
    """Pictures a second of a network like one in the catalogue. source: address of the page that says so."""

    model: str
    network: str
    input: str
    per_s: float
    protocol: str
    source: str


def _row(model: str, network: str, size: str, per_s: float, gpu: str, folder: str) -> PublishedTime:
    return PublishedTime(model, network, size, per_s, f"{_MMSEG}{gpu}", f"{_ZOO}/{folder}")


PUBLISHED: Final = (
    *(
        _row(f"nvidia/segformer-b{n}-finetuned-ade-512-512", f"SegFormer-B{n}, ADE20K", "512 × 512", per_s,
             "is not named", "segformer")
        for n, per_s in enumerate((51.3, 47.7, 30.9, 22.1, 15.5))
    ),
    *(
        _row(f"nvidia/segformer-b{n}-finetuned-cityscapes-1024-1024", f"SegFormer-B{n}, Cityscapes",
             "1024 × 2048 in windows of 1024 × 1024", per_s, "is not named", "segformer")
        for n, per_s in enumerate((4.74, 4.3, 3.36, 2.53, 1.88, 1.39))
    ),
    *(
        _row(f"torchvision/deeplabv3_resnet{n}", f"DeepLabV3 with a ResNet-{n}, ADE20K", "512 × 512", per_s,
             "is not named", "deeplabv3")
        for n, per_s in ((50, 14.8), (101, 10.1))
    ),
    *(
        _row(f"facebook/mask2former-swin-{name}-ade-semantic", f"Mask2Former with a Swin-{name.title()}, ADE20K", size,
             per_s, "is an A100", "mask2former")
        for name, size, per_s in (("tiny", "512 × 512", 23.8), ("small", "512 × 512", 19.7),
                                  ("base", "640 × 640", 12.4), ("large", "640 × 640", 8.8))
    ),
)  # fmt: skip
