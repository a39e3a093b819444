"""Which of transformers' classes are run here, by what they give: all whose input and output are tested.

Apart from the adapter, so that a checkpoint can be looked at without importing transformers, which takes seconds.
"""

from typing import Final

LOGITS: Final = (  # of every pixel
    "BeitForSemanticSegmentation",
    "DPTForSemanticSegmentation",
    "Data2VecVisionForSemanticSegmentation",
    "MobileNetV2ForSemanticSegmentation",
    "MobileViTForSemanticSegmentation",
    "MobileViTV2ForSemanticSegmentation",
    "SegformerForSemanticSegmentation",
    "UperNetForSemanticSegmentation",
)
QUERIES: Final = (  # a class and a mask of each
    "EomtForUniversalSegmentation",
    "EomtDinov3ForUniversalSegmentation",
    "Mask2FormerForUniversalSegmentation",
    "MaskFormerForInstanceSegmentation",
    "OneFormerForUniversalSegmentation",
)
