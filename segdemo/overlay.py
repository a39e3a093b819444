"""Pictures of an answer: class colours over the picture, outlines, the legend, and bytes for the screen.

For the screen, shrink first and colour then (`fit`, `fit_segments`): shrinking a coloured picture
shows mixtures of class colours that belong to no class.
"""

import io
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image

from segdemo.labels import VOID, LabelSpace
from segdemo.palettes import Color
from segdemo.prediction import Prediction, Segments

UNASSIGNED: Final = "nothing assigned"
_GREYS: Final = bytes(value for value in range(256) for _ in "rgb")
SCREEN_SIDE: Final = 1200  # pixels; the widest an overlay is shown on a screen


@dataclass(frozen=True)
class LegendRow:
    """One class of a picture. Pixels without a class have a row too: id `VOID`, name `UNASSIGNED`."""

    class_id: int
    name: str
    color: Color
    pixels: int
    share: float  # of all pixels, in [0, 1]


@dataclass(frozen=True, eq=False)
class Look:
    """How an answer is drawn over its picture.

    palette: (256, 3) uint8, row = class id. visible: the ids that are drawn. opacity: of the fill, 0 to 1.
    outlines: whether regions have a rim. objects: the ids whose single instances are outlined.
    """

    palette: np.ndarray
    visible: frozenset[int]
    opacity: float = 0.5
    outlines: bool = True
    objects: frozenset[int] = frozenset()


def usual_look(space: LabelSpace) -> Look:
    """How an answer is drawn unless a person says otherwise: in the data set's colours, things outlined one by one."""
    return Look(space.palette(), foreground(space), objects=space.things)


def draw(rgb: np.ndarray, labels: np.ndarray, segments: Segments | None, look: Look) -> np.ndarray:
    """The picture under its answer, (H, W, 3) uint8; `segments` are None where the model makes none.

    Lines are as much thicker as the picture is larger than a screen, so that it looks the same shrunk to one.
    """
    line = max(1, round(max(labels.shape) / SCREEN_SIDE))
    drawn = blend(rgb, labels, look.palette, look.opacity, look.visible, line if look.outlines else 0)
    if segments is None:
        return drawn
    return draw_segments(drawn, segments, look.palette, look.visible & look.objects, 2 * line)


def draw_fitted(rgb: np.ndarray, prediction: Prediction, look: Look, max_side: int) -> np.ndarray:
    """The picture under its answer with no side longer than `max_side`: shrunk first, then drawn."""
    small, labels = fit(rgb, prediction.labels, max_side)
    segments = prediction.segments
    if segments is not None:
        segments = fit_segments(segments, prediction.labels.shape, max_side)
    return draw(small, labels, segments, look)


def colorize(labels: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """The label map in its colours: (H, W) uint8 and a palette (256, 3) uint8 to (H, W, 3) uint8."""
    return np.take(palette, labels, axis=0)


def foreground(space: LabelSpace) -> frozenset[int]:
    """The classes drawn unless a person says otherwise: all but the background, which would hide the rest."""
    return frozenset(range(len(space.classes))) - {space.background}


def blend(
    rgb: np.ndarray,
    labels: np.ndarray,
    palette: np.ndarray,
    opacity: float = 0.5,
    visible: Collection[int] | None = None,
    outlines: int = 0,
) -> np.ndarray:
    """Class colours over a picture, (H, W, 3) uint8.

    opacity: 0 (the picture) to 1 (the colour alone).
    visible: the ids to draw, None for all; `VOID` is never drawn.
    outlines: how many of a region's outermost pixels are in the full class colour, at any opacity.
    Pixels that are not drawn stay exactly the picture's. Raises `ValueError` where the sizes differ.
    """
    if rgb.shape != (*labels.shape, 3):
        raise ValueError(f"expected a picture of shape {(*labels.shape, 3)} for these labels, got {rgb.shape}")
    if not 0 <= opacity <= 1:
        raise ValueError(f"opacity must be 0 to 1, got {opacity}")
    drawn = _drawn(visible)
    weights = np.take(np.where(drawn, round(255 * opacity), 0).astype(np.uint8), labels)
    if outlines:  # by bits, which is quicker than an assignment where a mask is true
        full = np.take(np.where(drawn, 255, 0).astype(np.uint8), labels)
        weights |= full & -boundaries(labels, outlines).view(np.uint8)
    colors = Image.fromarray(labels)
    colors.putpalette(palette.tobytes())
    # Pillow blends in integers and leaves a pixel of weight 0 as it is.
    return np.asarray(Image.composite(colors.convert("RGB"), Image.fromarray(rgb), Image.fromarray(weights)))


def boundaries(labels: np.ndarray, depth: int = 1) -> np.ndarray:
    """(H, W) bool: pixels within `depth` steps (up, down, left or right) of one with another label."""
    edge = np.zeros(labels.shape, np.bool_)
    below, beside = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    edge[1:] |= below
    edge[:-1] |= below
    edge[:, 1:] |= beside
    edge[:, :-1] |= beside
    for _ in range(depth - 1):
        inner = edge.copy()
        edge[1:] |= inner[:-1]
        edge[:-1] |= inner[1:]
        edge[:, 1:] |= inner[:, :-1]
        edge[:, :-1] |= inner[:, 1:]
    return edge


def draw_segments(
    rgb: np.ndarray,
    segments: Segments,
    palette: np.ndarray,
    visible: Collection[int] | None = None,
    width: int = 2,
) -> np.ndarray:
    """A copy of the picture (H, W, 3) uint8 with each instance's outline, `width` pixels inside its mask.

    The outline is the class colour, lightened so that it stands out from the class's own fill; the best
    instance lies on top. visible: the class ids to draw, None for all.
    """
    drawn = _drawn(visible)
    light = ((palette.astype(np.uint16) + 2 * 255) // 3).astype(np.uint8)
    picture = rgb.copy()
    for i in reversed(range(len(segments))):
        class_id = segments.class_ids[i]
        if drawn[class_id]:
            x1, y1, x2, y2 = segments.boxes_xyxy[i]
            picture[y1:y2, x1:x2][_rim(segments.masks[i], width)] = light[class_id]
    return picture


def legend(prediction: Prediction, palette: np.ndarray | None = None) -> list[LegendRow]:
    """The classes in the picture, the largest first; `VOID` has its row where some pixels have no class.

    palette: (256, 3) uint8, the label space's own by default; give the one the overlay was drawn with.
    """
    table = prediction.space.palette() if palette is None else palette
    counts = np.bincount(prediction.labels.ravel(), minlength=256)
    names = {**dict(enumerate(prediction.space.classes)), VOID: UNASSIGNED}
    present = sorted(np.flatnonzero(counts).tolist(), key=lambda class_id: -counts[class_id])
    return [
        LegendRow(
            class_id=class_id,
            name=names[class_id],
            color=tuple(table[class_id].tolist()),
            pixels=int(counts[class_id]),
            share=float(counts[class_id] / prediction.labels.size),
        )
        for class_id in present
    ]


def object_numbers(prediction: Prediction) -> np.ndarray | None:
    """Which object each pixel belongs to, (H, W) uint16: its place among the segments, from 1, or 0 for none.

    Objects are of thing classes; where they overlap, the best lies on top. None where the model makes no segments.
    """
    if prediction.segments is None:
        return None
    numbers = np.zeros(prediction.labels.shape, np.uint16)
    segments = prediction.segments
    for i in reversed(range(len(segments))):
        if segments.class_ids[i] in prediction.space.things:
            x1, y1, x2, y2 = segments.boxes_xyxy[i]
            numbers[y1:y2, x1:x2][segments.masks[i]] = i + 1
    return numbers


def fit(rgb: np.ndarray, labels: np.ndarray, max_side: int) -> tuple[np.ndarray, np.ndarray]:
    """Picture and label map with no side longer than `max_side`; those that fit come back as they are.

    The picture is averaged over areas; each label is one of the label map's own, the nearest.
    """
    size_hw = fitted(labels.shape, max_side)
    if size_hw == labels.shape:
        return rgb, labels
    picture = Image.fromarray(rgb).resize(size_hw[::-1], Image.Resampling.BOX)
    return np.asarray(picture), nearest(labels, max_side)


def fitted(size_hw: tuple[int, ...], max_side: int) -> tuple[int, int]:
    """Height and width with no side longer than `max_side`, in the same proportion."""
    height, width = size_hw
    scale = min(1.0, max_side / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def nearest(values: np.ndarray, max_side: int) -> np.ndarray:
    """A map (H, W) with no side longer than `max_side`, of its own values, each the nearest."""
    size_hw = fitted(values.shape, max_side)
    if size_hw == values.shape:
        return values
    return values[np.ix_(*_nearest(values.shape, size_hw))]


def fit_segments(segments: Segments, size_hw: tuple[int, ...], max_side: int) -> Segments:
    """The segments of a picture of this size as `fit` shrinks its labels, without those that vanish."""
    fitted_hw = fitted(size_hw, max_side)
    if fitted_hw == size_hw:
        return segments
    rows, columns = _nearest(size_hw, fitted_hw)
    x1, y1, x2, y2 = segments.boxes_xyxy.T
    # The kept pixels of a box are those whose source lies inside it.
    top, bottom = np.searchsorted(rows, y1), np.searchsorted(rows, y2)
    left, right = np.searchsorted(columns, x1), np.searchsorted(columns, x2)
    kept = np.flatnonzero((top < bottom) & (left < right))
    return Segments(
        boxes_xyxy=np.stack([left, top, right, bottom], axis=1)[kept].astype(np.int32),
        masks=tuple(
            segments.masks[i][np.ix_(rows[top[i] : bottom[i]] - y1[i], columns[left[i] : right[i]] - x1[i])]
            for i in kept.tolist()
        ),
        class_ids=segments.class_ids[kept],
        scores=segments.scores[kept],
    )


def encode_jpeg(rgb: np.ndarray, quality: int = 90) -> bytes:
    """The picture (H, W, 3) uint8 as a JPEG file."""
    return _encode(Image.fromarray(rgb), "JPEG", quality=quality)


def encode_png(pixels: np.ndarray) -> bytes:
    """A picture (H, W, 3) or a map (H, W), uint8, as a PNG file, packed fast rather than small.

    A map's values are read back as its shades of grey. It is stored with a palette of these: Pillow then filters no
    rows, which takes half the time, and the viewer reads them as they are (viewer/pixels.js).
    """
    picture = Image.fromarray(pixels)
    if pixels.ndim == 2:
        picture.putpalette(_GREYS)
    return _encode(picture, "PNG", compress_level=1)


def _encode(picture: Image.Image, file_format: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()


def _drawn(visible: Collection[int] | None) -> np.ndarray:
    """(256,) bool: which ids are drawn."""
    drawn = np.ones(256, np.bool_) if visible is None else np.isin(np.arange(256), list(visible))
    drawn[VOID] = False
    return drawn


def _rim(mask: np.ndarray, width: int) -> np.ndarray:
    """(H, W) bool: the mask's outermost pixels, `width` deep; outside the array is outside the mask."""
    inner = np.pad(mask, 1)
    for _ in range(width):
        core = inner[1:-1, 1:-1] & inner[:-2, 1:-1] & inner[2:, 1:-1] & inner[1:-1, :-2] & inner[1:-1, 2:]
        inner[1:-1, 1:-1] = core
    return mask & ~inner[1:-1, 1:-1]


def _nearest(from_hw: tuple[int, ...], to_hw: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """For each row and column of the small size, the one of the large size at its centre, ascending."""
    rows, columns = (
        ((np.arange(small) + 0.5) * large / small).astype(np.intp) for large, small in zip(from_hw, to_hw, strict=True)
    )
    return rows, columns
