"""The rows of the catalogue: a literal table of every checkpoint that is offered without being asked for.

A row names its checkpoint as its source names it: a torchvision weights enum, a hub id with a revision, a starter's
folder.
"""

from dataclasses import dataclass

from segdemo.labels import ADE20K, BRAIN_MRI, CAMVID, CITYSCAPES, COCO_PANOPTIC, COCO_THINGS, VOC, LabelSpace
from segdemo.models.spec import Library, ModelSpec, PublishedFigure, Task

_FCN_PAPER = "https://arxiv.org/abs/1411.4038"
_DEEPLABV3_PAPER = "https://arxiv.org/abs/1706.05587"
_UNET_PAPER = "https://arxiv.org/abs/1505.04597"
_SEGNET_PAPER = "https://arxiv.org/abs/1511.00561"
_EFFICIENTNET_PAPER = "https://arxiv.org/abs/1905.11946"
_DEEPLAB_PAPER = "https://arxiv.org/abs/1412.7062"
_FPN_PAPER = "https://arxiv.org/abs/1901.02446"
_FASTFCN_PAPER = "https://arxiv.org/abs/1903.11816"
_DEEPLABV3PLUS_PAPER = "https://arxiv.org/abs/1802.02611"
_SEGMENTER_PAPER = "https://arxiv.org/abs/2105.05633"
_LRASPP_PAPER = "https://arxiv.org/abs/1905.02244"
_MASKRCNN_PAPER = "https://arxiv.org/abs/1703.06870"
_MASKRCNN_V2_PAPER = "https://arxiv.org/abs/2111.11429"
_SEGFORMER_PAPER = "https://arxiv.org/abs/2105.15203"
_MASK2FORMER_PAPER = "https://arxiv.org/abs/2112.01527"


def _starter(
    name: str, title: str, family: str, architecture: str, library: Library, task: Task, paper: str, year: int
) -> ModelSpec:
    return ModelSpec(
        key=f"starter/{name}", title=title, family=family, architecture=architecture, library=library, task=task,
        source="starter", checkpoint=name, revision=None, space=CAMVID, paper=paper, year=year,
        licence="MIT code; weights trained on CamVid (CC BY-NC 4.0): non-commercial use", download_bytes=0,
    )  # fmt: skip


def _torchvision(
    architecture: str, title: str, family: str, weights: str, paper: str, year: int, mebibytes: float,
    published: tuple[PublishedFigure, ...],
) -> ModelSpec:  # fmt: skip
    semantic = family != "Mask R-CNN"
    return ModelSpec(
        key=f"torchvision/{architecture}", title=title, family=family, architecture=architecture,
        library="torchvision", task="semantic" if semantic else "instance", source="torchvision",
        checkpoint=weights, revision=None, space=VOC if semantic else COCO_THINGS, paper=paper, year=year,
        licence="BSD-3-Clause", download_bytes=round(mebibytes * 2**20), published=published,
    )  # fmt: skip


def _segformer(
    checkpoint: str, title: str, space: LabelSpace, parameters: int, figure: PublishedFigure,
    revision: str = "main",
) -> ModelSpec:  # fmt: skip
    return ModelSpec(
        key=checkpoint, title=title, family="SegFormer", architecture="SegformerForSemanticSegmentation",
        library="transformers", task="semantic", source="huggingface", checkpoint=checkpoint, revision=revision,
        space=space, paper=_SEGFORMER_PAPER, year=2021,
        licence="NVIDIA Source Code License: non-commercial research only",
        download_bytes=4 * parameters, published=(figure,),
    )  # fmt: skip


_MASK2FORMER_SCORES = {
    ADE20K.name: ("mIoU", "ADE20K val"),
    CITYSCAPES.name: ("mIoU", "Cityscapes val"),
    COCO_THINGS.name: ("mask AP", "COCO val2017"),
    COCO_PANOPTIC.name: ("PQ", "COCO val2017"),
}


def _mask2former(
    checkpoint: str, title: str, task: Task, space: LabelSpace, parameters: int, value: float | None,
    revision: str = "main",
) -> ModelSpec:  # fmt: skip
    metric, dataset = _MASK2FORMER_SCORES[space.name]
    source = "facebookresearch/Mask2Former, MODEL_ZOO.md"
    figure = value and PublishedFigure(metric, value, dataset, "single scale", source)
    return ModelSpec(
        key=checkpoint, title=title, family="Mask2Former", architecture="Mask2FormerForUniversalSegmentation",
        library="transformers", task=task, source="huggingface", checkpoint=checkpoint, revision=revision,
        space=space, paper=_MASK2FORMER_PAPER, year=2021,
        licence="MIT code; weights CC BY-NC 4.0: non-commercial use",
        download_bytes=4 * parameters, published=(figure,) if figure else (),
    )  # fmt: skip


def _on_voc(miou: float, accuracy: float) -> tuple[PublishedFigure, ...]:
    where = ("COCO val2017, 20 VOC classes", "shorter side 520, single scale", "torchvision, meta of the weights")
    return PublishedFigure("mIoU", miou, *where), PublishedFigure("pixel accuracy", accuracy, *where)


def _on_coco(box_ap: float, mask_ap: float) -> tuple[PublishedFigure, ...]:
    where = ("COCO val2017", "shorter side 800, single scale", "torchvision, meta of the weights")
    return PublishedFigure("box AP", box_ap, *where), PublishedFigure("mask AP", mask_ap, *where)


# The paper's figures are of these very weights; where the paper's could not be confirmed, those of MMSegmentation's
# retraining stand, which lie up to 1.8 points beside the paper's.
def _by_paper(miou: float, dataset: str, scales: str = "single scale") -> PublishedFigure:
    return PublishedFigure("mIoU", miou, dataset, scales, "arXiv 2105.15203")


def _by_mmseg(miou: float, dataset: str) -> PublishedFigure:
    protocol = "single scale; MMSegmentation's retraining, not these weights"
    return PublishedFigure("mIoU", miou, dataset, protocol, "MMSegmentation, configs/segformer/metafile.yaml")


_ADE, _CITY = "ADE20K val", "Cityscapes val"


@dataclass(frozen=True)
class _Family:
    """What checkpoints of one architecture on the hub have in common. source: of their figures."""

    name: str
    architecture: str
    paper: str
    year: int
    licence: str
    source: str = ""

    def row(
        self, checkpoint: str, title: str, task: Task, space: LabelSpace, parameters: int,
        figure: tuple[str, float, str] | None = None,
    ) -> ModelSpec:  # fmt: skip
        """figure: metric, value, data set; single scale."""
        published = (PublishedFigure(*figure, "single scale", self.source),) if figure else ()
        return ModelSpec(
            key=checkpoint, title=title, family=self.name, architecture=self.architecture, library="transformers",
            task=task, source="huggingface", checkpoint=checkpoint, revision="main", space=space, paper=self.paper,
            year=self.year, licence=self.licence, download_bytes=4 * parameters, published=published,
        )  # fmt: skip


_UPERNET = _Family("UPerNet", "UperNetForSemanticSegmentation", "https://arxiv.org/abs/1807.10221", 2018, "MIT",
                   "MMSegmentation, configs/convnext and configs/swin")  # fmt: skip
_BEIT = _Family("BEiT", "BeitForSemanticSegmentation", "https://arxiv.org/abs/2106.08254", 2021, "Apache-2.0")
_DPT = _Family("DPT", "DPTForSemanticSegmentation", "https://arxiv.org/abs/2103.13413", 2021, "Apache-2.0")
_MOBILEVIT = _Family("MobileViT", "MobileViTForSemanticSegmentation", "https://arxiv.org/abs/2110.02178", 2021,
                     "Apple ML Research Model Licence: research use")  # fmt: skip
_MASKFORMER = _Family("MaskFormer", "MaskFormerForInstanceSegmentation", "https://arxiv.org/abs/2107.06278", 2021,
                      "CC BY-NC 4.0: non-commercial use", "facebookresearch/MaskFormer, MODEL_ZOO.md")  # fmt: skip
_ONEFORMER = _Family("OneFormer", "OneFormerForUniversalSegmentation", "https://arxiv.org/abs/2211.06220", 2022, "MIT")
_EOMT = _Family("EoMT", "EomtForUniversalSegmentation", "https://arxiv.org/abs/2503.19108", 2025, "MIT",
                "tue-mps/eomt, model_zoo/dinov2.md")  # fmt: skip

# Sizes: torchvision's in MiB as its enums print them; of hub models the number of float32 parameters (the file has a
# little more). Revisions: a commit where at least two independent projects pin it, else the branch.
CATALOG: tuple[ModelSpec, ...] = (
    _starter("fcn", "FCN starter", "FCN", "fcn_small", "torchvision", "semantic", _FCN_PAPER, 2014),
    _starter("unet", "U-Net starter", "U-Net", "unet_small", "torch", "semantic", _UNET_PAPER, 2015),
    _starter("deeplab", "DeepLab starter", "DeepLab", "deeplab_small", "torch", "semantic", _DEEPLAB_PAPER, 2014),
    _starter("segnet", "SegNet starter", "SegNet", "segnet_small", "torch", "semantic", _SEGNET_PAPER, 2015),
    _starter("maskrcnn", "Mask R-CNN starter", "Mask R-CNN", "maskrcnn_small", "torchvision", "instance",
             _MASKRCNN_PAPER, 2017),
    _starter("deeplabv3", "DeepLabV3 starter", "DeepLabV3", "deeplabv3_small", "torchvision", "semantic",
             _DEEPLABV3_PAPER, 2017),
    _starter("deeplabv3plus", "DeepLabV3+ starter", "DeepLabV3+", "deeplabv3plus_small", "torch", "semantic",
             _DEEPLABV3PLUS_PAPER, 2018),
    _starter("fpn", "FPN starter", "FPN", "fpn_small", "torch", "semantic", _FPN_PAPER, 2019),
    _starter("fastfcn", "FastFCN starter", "FastFCN", "fastfcn_small", "torch", "semantic", _FASTFCN_PAPER, 2019),
    _starter("efficientnet_unet", "EfficientNet U-Net starter", "EfficientNet", "efficientnet_unet_small", "torch",
             "semantic", _EFFICIENTNET_PAPER, 2019),
    _starter("segmenter", "Segmenter starter", "Segmenter", "segmenter_small", "torch", "semantic",
             _SEGMENTER_PAPER, 2021),
    _starter("segformer", "SegFormer starter", "SegFormer", "SegformerForSemanticSegmentation", "transformers",
             "semantic", _SEGFORMER_PAPER, 2021),
    _starter("mask2former", "Mask2Former starter", "Mask2Former", "Mask2FormerForUniversalSegmentation",
             "transformers", "panoptic", _MASK2FORMER_PAPER, 2021),

    _torchvision("fcn_resnet50", "FCN ResNet-50", "FCN", "FCN_ResNet50_Weights.COCO_WITH_VOC_LABELS_V1",
                 _FCN_PAPER, 2014, 135.009, _on_voc(60.5, 91.4)),
    _torchvision("fcn_resnet101", "FCN ResNet-101", "FCN", "FCN_ResNet101_Weights.COCO_WITH_VOC_LABELS_V1",
                 _FCN_PAPER, 2014, 207.711, _on_voc(63.7, 91.9)),
    _torchvision("deeplabv3_resnet50", "DeepLabV3 ResNet-50", "DeepLabV3",
                 "DeepLabV3_ResNet50_Weights.COCO_WITH_VOC_LABELS_V1",
                 _DEEPLABV3_PAPER, 2017, 160.515, _on_voc(66.4, 92.4)),
    _torchvision("deeplabv3_resnet101", "DeepLabV3 ResNet-101", "DeepLabV3",
                 "DeepLabV3_ResNet101_Weights.COCO_WITH_VOC_LABELS_V1",
                 _DEEPLABV3_PAPER, 2017, 233.217, _on_voc(67.4, 92.4)),
    _torchvision("deeplabv3_mobilenet_v3_large", "DeepLabV3 MobileNetV3-L", "DeepLabV3",
                 "DeepLabV3_MobileNet_V3_Large_Weights.COCO_WITH_VOC_LABELS_V1",
                 _DEEPLABV3_PAPER, 2017, 42.301, _on_voc(60.3, 91.2)),
    _torchvision("lraspp_mobilenet_v3_large", "LR-ASPP MobileNetV3-L", "LR-ASPP",
                 "LRASPP_MobileNet_V3_Large_Weights.COCO_WITH_VOC_LABELS_V1",
                 _LRASPP_PAPER, 2019, 12.49, _on_voc(57.9, 91.2)),
    _torchvision("maskrcnn_resnet50_fpn", "Mask R-CNN ResNet-50 FPN", "Mask R-CNN",
                 "MaskRCNN_ResNet50_FPN_Weights.COCO_V1",
                 _MASKRCNN_PAPER, 2017, 169.84, _on_coco(37.9, 34.6)),
    _torchvision("maskrcnn_resnet50_fpn_v2", "Mask R-CNN ResNet-50 FPN v2", "Mask R-CNN",
                 "MaskRCNN_ResNet50_FPN_V2_Weights.COCO_V1",
                 _MASKRCNN_V2_PAPER, 2021, 177.219, _on_coco(47.4, 41.8)),

    ModelSpec(
        key="mateuszbuda/brain-segmentation-pytorch", title="U-Net brain MRI", family="U-Net",
        architecture="brain_unet", library="torch", task="semantic", source="release",
        checkpoint="mateuszbuda/brain-segmentation-pytorch/releases/download/v1.0/unet-e012d006.pt", revision=None,
        space=BRAIN_MRI, paper=_UNET_PAPER, year=2015, licence="MIT", download_bytes=4 * 7_763_041,
    ),

    _segformer("nvidia/segformer-b0-finetuned-ade-512-512", "SegFormer-B0 ADE20K", ADE20K, 3_752_694,
               _by_paper(37.4, _ADE), "489d5cd81a0b59fab9b7ea758d3548ebe99677da"),
    _segformer("nvidia/segformer-b1-finetuned-ade-512-512", "SegFormer-B1 ADE20K", ADE20K, 13_715_798,
               _by_mmseg(40.97, _ADE)),
    _segformer("nvidia/segformer-b2-finetuned-ade-512-512", "SegFormer-B2 ADE20K", ADE20K, 27_461_974,
               _by_mmseg(45.58, _ADE), "de01bae28967510f9ddd496c60a969357195400c"),
    _segformer("nvidia/segformer-b3-finetuned-ade-512-512", "SegFormer-B3 ADE20K", ADE20K, 47_337_814,
               _by_mmseg(47.82, _ADE)),
    _segformer("nvidia/segformer-b4-finetuned-ade-512-512", "SegFormer-B4 ADE20K", ADE20K, 64_108_374,
               _by_paper(50.3, _ADE)),
    _segformer("nvidia/segformer-b5-finetuned-ade-640-640", "SegFormer-B5 ADE20K", ADE20K, 84_708_694,
               _by_paper(51.0, _ADE), "739f5d4692954e4a185eac280dec1ba5a7d52f1d"),
    _segformer("nvidia/segformer-b0-finetuned-cityscapes-1024-1024", "SegFormer-B0 Cityscapes", CITYSCAPES,
               3_719_027, _by_mmseg(76.54, _CITY), "21b3847fae21ddee674abd31129307b6a1235bd9"),
    _segformer("nvidia/segformer-b1-finetuned-cityscapes-1024-1024", "SegFormer-B1 Cityscapes", CITYSCAPES,
               13_682_131, _by_mmseg(78.56, _CITY), "ec86afeba68e656629ccf47e0c8d2902f964917b"),
    _segformer("nvidia/segformer-b2-finetuned-cityscapes-1024-1024", "SegFormer-B2 Cityscapes", CITYSCAPES,
               27_361_235, _by_mmseg(81.08, _CITY)),
    _segformer("nvidia/segformer-b3-finetuned-cityscapes-1024-1024", "SegFormer-B3 Cityscapes", CITYSCAPES,
               47_237_075, _by_mmseg(81.94, _CITY)),
    _segformer("nvidia/segformer-b4-finetuned-cityscapes-1024-1024", "SegFormer-B4 Cityscapes", CITYSCAPES,
               64_007_635, _by_mmseg(81.89, _CITY)),
    _segformer("nvidia/segformer-b5-finetuned-cityscapes-1024-1024", "SegFormer-B5 Cityscapes", CITYSCAPES,
               84_607_955, _by_paper(84.0, _CITY, "multi-scale and flip"),
               "2c6f153e4c23c229e2fa2b188eb250607e030cd8"),

    _mask2former("facebook/mask2former-swin-tiny-coco-panoptic", "Mask2Former Swin-T COCO panoptic",
                 "panoptic", COCO_PANOPTIC, 47_436_800, 53.2),
    _mask2former("facebook/mask2former-swin-small-coco-panoptic", "Mask2Former Swin-S COCO panoptic",
                 "panoptic", COCO_PANOPTIC, 68_754_704, 54.6),
    _mask2former("facebook/mask2former-swin-base-coco-panoptic", "Mask2Former Swin-B COCO panoptic",
                 "panoptic", COCO_PANOPTIC, 106_919_870, 55.1),
    _mask2former("facebook/mask2former-swin-large-coco-panoptic", "Mask2Former Swin-L COCO panoptic",
                 "panoptic", COCO_PANOPTIC, 215_538_682, 57.8, "85b535928a783691eaf27467a573b26d543336ea"),
    _mask2former("facebook/mask2former-swin-tiny-coco-instance", "Mask2Former Swin-T COCO instance",
                 "instance", COCO_THINGS, 47_423_179, 45.0),
    _mask2former("facebook/mask2former-swin-small-coco-instance", "Mask2Former Swin-S COCO instance",
                 "instance", COCO_THINGS, 68_741_083, 46.3),
    _mask2former("facebook/mask2former-swin-base-coco-instance", "Mask2Former Swin-B COCO instance",
                 "instance", COCO_THINGS, 106_906_249, 46.7),
    _mask2former("facebook/mask2former-swin-large-coco-instance", "Mask2Former Swin-L COCO instance",
                 "instance", COCO_THINGS, 215_525_061, 50.1),
    _mask2former("facebook/mask2former-swin-tiny-ade-semantic", "Mask2Former Swin-T ADE20K",
                 "semantic", ADE20K, 47_441_169, 47.7),
    _mask2former("facebook/mask2former-swin-small-ade-semantic", "Mask2Former Swin-S ADE20K",
                 "semantic", ADE20K, 68_759_073, 51.3),
    _mask2former("facebook/mask2former-swin-base-ade-semantic", "Mask2Former Swin-B ADE20K",
                 "semantic", ADE20K, 106_924_239, None),  # 52.4 or 53.9: which of the two Swin-B it is, no page says
    _mask2former("facebook/mask2former-swin-large-ade-semantic", "Mask2Former Swin-L ADE20K",
                 "semantic", ADE20K, 215_491_851, 56.1, "aa25c92404a40599614215e76514c79b427c7527"),
    _mask2former("facebook/mask2former-swin-tiny-cityscapes-semantic", "Mask2Former Swin-T Cityscapes",
                 "semantic", CITYSCAPES, 47_407_502, 82.1),
    _mask2former("facebook/mask2former-swin-small-cityscapes-semantic", "Mask2Former Swin-S Cityscapes",
                 "semantic", CITYSCAPES, 68_725_406, 82.6),
    _mask2former("facebook/mask2former-swin-base-IN21k-cityscapes-semantic", "Mask2Former Swin-B Cityscapes",
                 "semantic", CITYSCAPES, 106_890_572, 83.3),
    _mask2former("facebook/mask2former-swin-large-cityscapes-semantic", "Mask2Former Swin-L Cityscapes",
                 "semantic", CITYSCAPES, 215_458_184, 83.3),

    _UPERNET.row("openmmlab/upernet-convnext-tiny", "UPerNet ConvNeXt-T ADE20K", "semantic", ADE20K, 60_242_636,
                 ("mIoU", 46.11, _ADE)),
    _UPERNET.row("openmmlab/upernet-convnext-small", "UPerNet ConvNeXt-S ADE20K", "semantic", ADE20K, 81_877_196,
                 ("mIoU", 48.56, _ADE)),
    _UPERNET.row("openmmlab/upernet-convnext-base", "UPerNet ConvNeXt-B ADE20K", "semantic", ADE20K, 122_102_956,
                 ("mIoU", 48.71, _ADE)),
    _UPERNET.row("openmmlab/upernet-swin-tiny", "UPerNet Swin-T ADE20K", "semantic", ADE20K, 59_943_398,
                 ("mIoU", 44.41, _ADE)),
    _UPERNET.row("openmmlab/upernet-swin-small", "UPerNet Swin-S ADE20K", "semantic", ADE20K, 81_261_302,
                 ("mIoU", 47.72, _ADE)),

    _BEIT.row("microsoft/beit-base-finetuned-ade-640-640", "BEiT-B ADE20K", "semantic", ADE20K, 163_407_980),

    _DPT.row("Intel/dpt-large-ade", "DPT-L ADE20K", "semantic", ADE20K, 344_292_140),

    _MOBILEVIT.row("apple/deeplabv3-mobilevit-xx-small", "MobileViT-XXS VOC", "semantic", VOC, 1_854_853),
    _MOBILEVIT.row("apple/deeplabv3-mobilevit-x-small", "MobileViT-XS VOC", "semantic", VOC, 2_944_069),
    _MOBILEVIT.row("apple/deeplabv3-mobilevit-small", "MobileViT-S VOC", "semantic", VOC, 6_357_941),

    _MASKFORMER.row("facebook/maskformer-swin-tiny-ade", "MaskFormer Swin-T ADE20K", "semantic", ADE20K, 41_758_545,
                    ("mIoU", 46.7, _ADE)),
    _MASKFORMER.row("facebook/maskformer-swin-small-ade", "MaskFormer Swin-S ADE20K", "semantic", ADE20K, 63_076_449,
                    ("mIoU", 49.8, _ADE)),
    _MASKFORMER.row("facebook/maskformer-swin-base-ade", "MaskFormer Swin-B ADE20K", "semantic", ADE20K, 101_831_439,
                    ("mIoU", 52.7, _ADE)),
    _MASKFORMER.row("facebook/maskformer-swin-large-ade", "MaskFormer Swin-L ADE20K", "semantic", ADE20K, 211_578_699,
                    ("mIoU", 54.1, _ADE)),
    _MASKFORMER.row("facebook/maskformer-swin-tiny-coco", "MaskFormer Swin-T COCO panoptic", "panoptic", COCO_PANOPTIC,
                    41_754_176),
    _MASKFORMER.row("facebook/maskformer-swin-base-coco", "MaskFormer Swin-B COCO panoptic", "panoptic", COCO_PANOPTIC,
                    101_827_070),

    _ONEFORMER.row("shi-labs/oneformer_ade20k_swin_tiny", "OneFormer Swin-T ADE20K", "semantic", ADE20K, 50_737_938),

    _EOMT.row("tue-mps/ade20k_semantic_eomt_large_512", "EoMT-L ADE20K", "semantic", ADE20K, 316_020_887,
              ("mIoU", 58.4, _ADE)),
    _EOMT.row("tue-mps/cityscapes_semantic_eomt_large_1024", "EoMT-L Cityscapes", "semantic", CITYSCAPES, 319_032_340,
              ("mIoU", 84.2, _CITY)),
    _EOMT.row("tue-mps/coco_instance_eomt_large_640", "EoMT-L COCO instance", "instance", COCO_THINGS, 316_641_361,
              ("mask AP", 45.2, "COCO val2017")),
    _EOMT.row("tue-mps/coco_panoptic_eomt_large_640", "EoMT-L COCO panoptic", "panoptic", COCO_PANOPTIC, 316_695_686,
              ("PQ", 56.0, "COCO val2017")),
)  # fmt: skip
