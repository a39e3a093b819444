"""Where the families of the catalogue come from: a literal table, in the order in which their papers appeared."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Family:
    """An architecture, or a way to train one, that others built on.

    name: as in `ModelSpec.family`. year: of the paper's first version. before: what was wrong until then.
    introduced: what it changed.
    """

    name: str
    year: int
    paper: str  # address
    authors: str
    before: str
    introduced: str


FAMILIES: Final[tuple[Family, ...]] = (
    Family(
        "FCN", 2014, "https://arxiv.org/abs/1411.4038", "Long, Shelhamer, Darrell",
        "Networks named whole pictures. To label pixels they were run on one small window after another.",
        "Every layer is a convolution, so one pass labels all pixels of a picture of any size. Finer, earlier layers "
        "are added to sharpen the coarse result.",
    ),
    Family(
        "DeepLab", 2014, "https://arxiv.org/abs/1412.7062", "Chen, Papandreou, Kokkinos, Murphy, Yuille",
        "Pooling shrinks the map 32 times. What is left is coarse, and its outlines are soft.",
        "Dilated convolutions look far without shrinking the map, and a conditional random field pulls the outlines "
        "to the edges of the picture.",
    ),
    Family(
        "U-Net", 2015, "https://arxiv.org/abs/1505.04597", "Ronneberger, Fischer, Brox",
        "Medicine has few labelled pictures, and touching cells ran together.",
        "A decoder as deep as the encoder gets the encoder's maps of the same size beside its own. Deformed copies of "
        "few pictures are enough to train it.",
    ),
    Family(
        "SegNet", 2015, "https://arxiv.org/abs/1511.00561", "Badrinarayanan, Kendall, Cipolla",
        "Handing whole maps from encoder to decoder costs memory that a car does not have.",
        "Only the places where pooling found its maxima are handed over. The decoder puts its values back there.",
    ),
    Family(
        "Mask R-CNN", 2017, "https://arxiv.org/abs/1703.06870", "He, Gkioxari, Dollár, Girshick",
        "A class for every pixel does not count: two cars that touch are one area.",
        "A detector finds boxes first, and a small head draws the mask inside each, from features sampled without "
        "rounding.",
    ),
    Family(
        "DeepLabV3", 2017, "https://arxiv.org/abs/1706.05587", "Chen, Papandreou, Schroff, Adam",
        "Objects come in many sizes, one dilation suits one of them, and the random field ran outside the network.",
        "Several dilations side by side and a summary of the whole picture, all inside the network. The random field "
        "is no longer needed.",
    ),
    Family(
        "DeepLabV3+", 2018, "https://arxiv.org/abs/1802.02611", "Chen, Zhu, Papandreou, Schroff, Adam",
        "DeepLabV3 enlarges its map eightfold in one step, which blurs thin things.",
        "A small decoder mixes in one early, fine map. Depthwise separable convolutions make it cheaper.",
    ),
    Family(
        "UPerNet", 2018, "https://arxiv.org/abs/1807.10221", "Xiao, Liu, Zhou, Jiang, Sun",
        "Scenes, objects, parts and materials each had networks of their own.",
        "One feature pyramid under a pooling of the whole scene serves them all. It became the usual head to compare "
        "backbones with.",
    ),
    Family(
        "FPN", 2019, "https://arxiv.org/abs/1901.02446", "Kirillov, Girshick, He, Dollár",
        "Instance models read a pyramid of maps, semantic models dilated ones: two backbones for one picture.",
        "The detector's feature pyramid names classes, too. Coarse maps are added to finer ones on the way down, and "
        "all of them, enlarged to one size, are summed.",
    ),
    Family(
        "FastFCN", 2019, "https://arxiv.org/abs/1903.11816", "Wu, Zhang, Huang, Liang, Yu",
        "Dilated backbones keep large maps through their deepest layers, which costs time and memory.",
        "The backbone shrinks as it used to, and one module rebuilds the large map from its last three stages.",
    ),
    Family(
        "LR-ASPP", 2019, "https://arxiv.org/abs/1905.02244", "Howard, Sandler and others",
        "Segmentation heads were far heavier than the backbones made for phones.",
        "On MobileNetV3, a head of two light branches: a pooled view of the scene gates the features, and a finer map "
        "is added.",
    ),
    Family(
        "EfficientNet", 2019, "https://arxiv.org/abs/1905.11946", "Tan, Le",
        "Backbones were enlarged in depth, in width or in resolution, by taste.",
        "All three grow together by one rule, from a small searched network. As an encoder it gives more for each "
        "multiplication.",
    ),
    Family(
        "DPT", 2021, "https://arxiv.org/abs/2103.13413", "Ranftl, Bochkovskiy, Koltun",
        "Convolutional encoders give up detail early, and see the whole picture late.",
        "A vision transformer keeps one resolution and sees everything in each layer. Its tokens are put back "
        "together as pictures of several sizes.",
    ),
    Family(
        "Segmenter", 2021, "https://arxiv.org/abs/2105.05633", "Strudel, Garcia, Laptev, Schmid",
        "Convolutions see their neighbourhood. Context over the whole picture needed special modules.",
        "The picture is cut into patches that attend to each other from the first layer on. Learned class tokens draw "
        "the masks.",
    ),
    Family(
        "SegFormer", 2021, "https://arxiv.org/abs/2105.15203", "Xie, Wang, Yu, Anandkumar, Alvarez, Luo",
        "Plain transformers have one scale, learned positions that suit one size of picture, and heavy decoders.",
        "A transformer of four scales without position codes, under a decoder of a few linear layers.",
    ),
    Family(
        "BEiT", 2021, "https://arxiv.org/abs/2106.08254", "Bao, Dong, Piao, Wei",
        "Vision transformers need very many labelled pictures before they are good.",
        "Trained first without labels: it guesses what was hidden behind masked patches. Fine-tuned later, it labels "
        "pixels.",
    ),
    Family(
        "MaskFormer", 2021, "https://arxiv.org/abs/2107.06278", "Cheng, Schwing, Kirillov",
        "Semantic models labelled pixels, instance models masks: two kinds of network for one picture.",
        "A set of queries each gives one mask and one class. The same network and loss answer both questions.",
    ),
    Family(
        "MobileViT", 2021, "https://arxiv.org/abs/2110.02178", "Mehta, Rastegari",
        "Transformers were too large for phones, and needed long training.",
        "Attention takes the place of some convolutions inside a small mobile network.",
    ),
    Family(
        "Mask2Former", 2021, "https://arxiv.org/abs/2112.01527", "Cheng, Misra, Schwing, Kirillov, Girdhar",
        "MaskFormer learned slowly, and special networks still won each task.",
        "Each query attends only inside its own mask of the layer before, one scale after another. One design, trained "
        "for each task, led all three when it came out.",
    ),
    Family(
        "OneFormer", 2022, "https://arxiv.org/abs/2211.06220", "Jain, Li, Chiu, Hassani, Orlov, Shi",
        "One design, but still trained three times: once for each question.",
        "Trained once. The question itself goes in as a text token: semantic, instance or panoptic.",
    ),
    Family(
        "EoMT", 2025, "https://arxiv.org/abs/2503.19108", "Kerssies, Cavagnero, Hermans and others",
        "Adapters, pixel decoders and mask decoders had piled up around the transformer.",
        "Large and well pre-trained, a plain transformer needs none of them: the queries join its last layers as "
        "tokens.",
    ),
)  # fmt: skip


def find(name: str) -> Family | None:
    """The row with this name, None where there is none."""
    return next((family for family in FAMILIES if family.name == name), None)
