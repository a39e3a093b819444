"""The networks of `architectures`, behind the four stages: U-Net, SegNet, DeepLab, FastFCN, Segmenter and others."""

from torch import Tensor
from torchvision.transforms.v2 import functional as TF

from segdemo.models import SCORE_THRESHOLD, Model, Precision, Progress, authors_checkpoints, starters
from segdemo.models.semantic import SemanticModel, make_ready
from segdemo.models.spec import ModelSpec


def load(
    spec: ModelSpec, device: str, precision: Precision, trained: bool, progress: Progress | None = None,
    score_threshold: float = SCORE_THRESHOLD,
) -> Model:  # fmt: skip
    """Build the row's network, load its weights, make it ready for inference on the device.

    Raises `WeightsError` where the weights cannot be had, are damaged, hold code or are of another network.
    """
    if spec.architecture.endswith("_small"):
        network = starters.read(spec, trained, progress)
    else:
        network = authors_checkpoints.read(spec, trained, progress)
    make_ready(network, device, precision)
    kind = BrainModel if spec.architecture == "brain_unet" else SemanticModel
    return kind(spec, spec.space, device, precision, trained, network)


_DIVISOR = 16  # of the sides of the brain U-Net's input


class BrainModel(SemanticModel):
    """The brain U-Net: 256×256 pixels, brought to mean 0 and deviation 1 by the picture's own, not the data set's.

    The authors take the statistics of a patient's whole volume; of a single slice, as their own loading example does.
    """

    def preprocess(self, pictures: Tensor, scale: float = 1, tile: int | None = None) -> Tensor:
        """(N, 3, 256, 256) float32, `scale` times as large, or as tiles of that side are."""
        tiles = [side / tile if tile else 1 for side in pictures.shape[-2:]]
        sides = [round(scale * count * self.network.shorter_side / _DIVISOR) * _DIVISOR for count in tiles]
        resized = TF.resize(pictures, sides, antialias=True).float()
        mean, deviation = resized.mean((2, 3), keepdim=True), resized.std((2, 3), keepdim=True, correction=0)
        return (resized - mean) / deviation.clamp(min=1e-6)
