"""The networks of `architectures`, behind the four stages: U-Net, SegNet, DeepLab, FastFCN, Segmenter and others."""

from segdemo.models import SCORE_THRESHOLD, Model, Precision, Progress, starters
from segdemo.models.catalog import ModelSpec
from segdemo.models.semantic import SemanticModel, make_ready


def load(
    spec: ModelSpec, device: str, precision: Precision, trained: bool, progress: Progress | None = None,
    score_threshold: float = SCORE_THRESHOLD,
) -> Model:  # fmt: skip
    """Build the row's network, load its weights, make it ready for inference on the device.

    Raises `WeightsError` where the weights cannot be had.
    """
    network = starters.read(spec, trained, progress)
    make_ready(network, device, precision)
    return SemanticModel(spec, spec.space, device, precision, trained, network)
