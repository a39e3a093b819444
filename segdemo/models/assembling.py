"""One answer for a picture from many looks at it: tiles of it, and several views of each.

Tiles say how large things are seen. A network of logits for inputs of any size sees the whole picture that large, in
parts where it must (`parts`): a cut costs time, where parts overlap, and context. Networks that find things see squares
of it that large, as large ones as there is memory for. Those that take one size see each tile as a picture of its own.

Class probabilities flow from top to bottom, a band of rows at a time: those of the views of a tile are averaged, tiles
of a row put side by side, and rows of tiles stacked (tiling.py). Held are the network's own, coarse outputs for two
rows of tiles, and never the probabilities of a whole picture, unless a dense CRF needs them. Segments are put together
by stitching.py.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final, Protocol, cast

import numpy as np
import torch
from torch import Tensor

from segdemo import devices
from segdemo.errors import ModelError
from segdemo.extras import Extras, Tta
from segdemo.images import InputImage
from segdemo.models import Answer, Model, dense_crf
from segdemo.models.resizing import numbered
from segdemo.models.stages import Stages
from segdemo.models.stitching import Piece, stitched
from segdemo.models.tiling import Rows, Span, mean, shortest, side_by_side, spans, stacked
from segdemo.models.upsampling import labels_from_probabilities

MOST_REFINED: Final = 500_000_000  # class probabilities of a picture that a dense CRF may hold: it takes several copies
_TINY: Final = 1e-30


class SemanticModel(Model, Protocol):
    """What is asked of a model beyond the four stages."""

    def preprocess(self, pictures: Any, scale: float = 1, tile: int | None = None) -> Any:
        """As `Model.preprocess`, to an input `scale` times as large as usual.

        tile: the pictures are parts of larger ones, of which a square of this side is to be as large as usual.
        """

    def class_probabilities(self, outputs: Any, size_hw: tuple[int, int]) -> Iterator[Tensor]:
        """The network's output to bands (N, C, rows, W) float32, together H rows, of probabilities.

        A band is the caller's to change until the next is asked for.
        """


@dataclass(frozen=True)
class Looks:
    """How a picture is looked at.

    side: of squares that are looks of their own; None: the whole picture is one look. tile: what is as large in the
    network's input as a picture usually is; None: the look. Both in pixels of the picture.
    """

    side: int | None = None
    tile: int | None = None

    @classmethod
    def of(cls, model: Model, tile: int | None, size_hw: tuple[int, int]) -> "Looks":
        """Those of a model at pictures of a size in tiles of this side; None: no tiles."""
        if tile is None:
            return cls()
        longest = model.longest_look(tile)
        if longest == tile:
            return cls(side=tile)
        side = None if longest is None else shortest(max(size_hw), longest)
        return cls(side, min(tile, *size_hw))


@dataclass(frozen=True)
class View:
    """How a tile is looked at. scale: of the network's input, by its usual size."""

    scale: float = 1
    mirrored: bool = False


VIEWS: Final[dict[Tta, tuple[View, ...]]] = {
    "none": (View(),),
    "flip": (View(), View(mirrored=True)),
    "scales": (View(scale=0.75), View(), View(scale=1.25)),
}


def answers(stages: Stages, images: Sequence[InputImage], extras: Extras) -> list[Answer]:
    """The answers for pictures of one size, in their order. extras: as `Extras.on` gives them for that size."""
    size_hw = images[0].size_hw
    looks, views = Looks.of(stages.model, extras.tile, size_hw), VIEWS[extras.tta]
    if stages.model.spec.task != "semantic":
        return _segments(stages, images, looks)
    if looks.side is None and len(views) == 1 and extras.refine == "none":
        return stages.model.postprocess(stages.outputs(images, tile=looks.tile), size_hw)
    bands = class_probabilities(stages, images, looks, views)
    if extras.refine == "crf":
        bands = iter([_refined(bands, images)])
    labels, confidence = labels_from_probabilities(bands, size_hw)
    return [Answer(*maps, None) for maps in zip(labels.cpu().numpy(), confidence.cpu().numpy(), strict=True)]


def class_probabilities(
    stages: Stages, images: Sequence[InputImage], looks: Looks, views: Sequence[View]
) -> Iterator[Tensor]:
    """Of every pixel, the mean over the views: bands (N, C, rows, W) float32, together H rows."""
    height, width = images[0].size_hw
    columns = spans(width, looks.side)

    def row_of_tiles(rows: Span) -> Iterator[Tensor]:
        tiles = [[_cut(image, rows, span) for image in images] for span in columns]
        streams = [Rows(_views(stages, tile, looks.tile, views)) for tile in tiles]
        return side_by_side(columns, streams, rows.stop - rows.start)

    return stacked(spans(height, looks.side), row_of_tiles)


def _views(stages: Stages, images: Sequence[InputImage], tile: int | None, views: Sequence[View]) -> Iterator[Tensor]:
    return mean([Rows(_view(stages, images, tile, view)) for view in views], images[0].size_hw[0])


def _view(stages: Stages, images: Sequence[InputImage], tile: int | None, view: View) -> Iterator[Tensor]:
    """Bands of the probabilities that one view gives, where the picture has its pixels."""
    seen = [_with(image, image.rgb[:, ::-1]) for image in images] if view.mirrored else images
    outputs = stages.outputs(seen, scale=view.scale, tile=tile)
    bands = cast(SemanticModel, stages.model).class_probabilities(outputs, images[0].size_hw)
    return (band.flip(-1) for band in bands) if view.mirrored else bands


def _refined(bands: Iterable[Tensor], images: Sequence[InputImage]) -> Tensor:
    """(N, C, H, W): the probabilities of the whole pictures after the dense CRF."""
    whole = _gathered(bands, images[0].size_hw)
    for probabilities, image in zip(whole, images, strict=True):
        rgb = torch.from_numpy(image.rgb.transpose(2, 0, 1).copy()).to(whole.device)
        share = probabilities.sum(0).clamp_(min=_TINY)  # a query model's classes need not add up to 1
        torch.mul(dense_crf.refined(probabilities.div_(share), rgb), share, out=probabilities)
    return whole


def _gathered(bands: Iterable[Tensor], size_hw: tuple[int, int]) -> Tensor:
    """All bands in one. Raises `ModelError` where that is more than can be refined."""
    whole: Tensor | None = None
    for rows, band in numbered(bands):
        if whole is None:
            n, classes = band.shape[:2]
            _expect_refinable(classes, size_hw)
            whole = band.new_empty((n, classes, *size_hw))
        whole[:, :, rows] = band
    if whole is None:
        raise ValueError("there are no rows")
    return whole


def _expect_refinable(classes: int, size_hw: tuple[int, int]) -> None:
    pixels = size_hw[0] * size_hw[1]
    if classes * pixels > MOST_REFINED:
        raise ModelError(
            f"A dense CRF over {classes} classes takes pictures of {MOST_REFINED / classes / 1e6:.1f} megapixels at "
            f"most, and this one has {pixels / 1e6:.1f}; make it smaller or leave the refinement out."
        )


def _segments(stages: Stages, images: Sequence[InputImage], looks: Looks) -> list[Answer]:
    """The answers of all looks, stitched where there are several."""
    size_hw = height, width = images[0].size_hw
    cuts = list(product(spans(height, looks.side), spans(width, looks.side)))
    if len(cuts) == 1:
        return _seen(stages, images, *cuts[0], looks)
    pieces: list[list[Piece]] = []
    for rows, columns in cuts:
        pieces.append([Piece.of(rows, columns, found) for found in _seen(stages, images, rows, columns, looks)])
        devices.return_pages()  # what one look leaves in pieces need not fit the next
    things = stages.model.space.things if stages.model.spec.task == "panoptic" else None
    return [stitched(of_picture, size_hw, things) for of_picture in zip(*pieces, strict=True)]


def _seen(stages: Stages, images: Sequence[InputImage], rows: Span, columns: Span, looks: Looks) -> list[Answer]:
    """What one look finds in each picture."""
    how = {} if looks.tile is None else {"tile": looks.tile}
    outputs = stages.outputs([_cut(image, rows, columns) for image in images], **how)
    return stages.model.postprocess(outputs, (rows.stop - rows.start, columns.stop - columns.start))


def _cut(image: InputImage, rows: Span, columns: Span) -> InputImage:
    return _with(image, image.rgb[rows.start : rows.stop, columns.start : columns.stop])


def _with(image: InputImage, rgb: np.ndarray) -> InputImage:
    return InputImage(rgb, image.digest, image.name)
