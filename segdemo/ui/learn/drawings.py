"""Architectures drawn simply: what becomes of a picture, from left to right, as one small SVG file.

A part's height is the size of its map, dots are tokens or the taps of dilated kernels, an arc is what is handed over.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

TEAL: Final = "#1f8f86"  # what shrinks and understands
AMBER: Final = "#d9a441"  # what enlarges and draws
VIOLET: Final = "#9274c8"  # what asks: queries, class tokens, words
_WIDTH, _HEIGHT, _MIDDLE = 560, 186, 98
_LETTER: Final = 7.2  # pixels of one, about
_TALL: Final = 104  # pixels of a map at the picture's size


@dataclass(frozen=True)
class Part:
    """One column of a drawing. size: of its map, 1 for the picture's. words: below it."""

    kind: str
    size: float
    words: str = ""


@dataclass(frozen=True)
class Sketch:
    """Parts from left to right, and what is handed over besides: pairs of places in `parts`.

    indices: whether only places are handed over, no values; drawn with dots.
    """

    parts: tuple[Part, ...]
    handed: tuple[tuple[int, int], ...] = ()
    indices: bool = False


_PICTURE = Part("picture", 1, "picture")
_ANSWER = Part("answer", 1, "classes")
_SHRINKING = (Part("map", 0.72), Part("map", 0.5, "convolutions"), Part("map", 0.36), Part("map", 0.25))
_DILATED = (Part("map", 0.72), Part("map", 0.5), Part("dilated", 0.5), Part("dilated", 0.5, "dilated"))
_PYRAMID = (Part("map", 0.72), Part("map", 0.5, "backbone"), Part("map", 0.36), Part("map", 0.25))

SKETCHES: Final[dict[str, Sketch]] = {
    "FCN": Sketch((_PICTURE, *_SHRINKING, Part("drawn", 0.36), Part("drawn", 0.5, "added"), _ANSWER),
                  ((3, 5), (2, 6))),
    "DeepLab": Sketch((_PICTURE, *_DILATED, Part("drawn", 1, "enlarged"), Part("graph", 1, "random field"), _ANSWER),
                      ((0, 6),)),
    "U-Net": Sketch((_PICTURE, *_SHRINKING, Part("drawn", 0.36), Part("drawn", 0.5, "as deep again"),
                     Part("drawn", 0.72), _ANSWER), ((3, 5), (2, 6), (1, 7))),
    "SegNet": Sketch((_PICTURE, *_SHRINKING, Part("drawn", 0.36), Part("drawn", 0.5, "places only"),
                      Part("drawn", 0.72), _ANSWER), ((3, 5), (2, 6), (1, 7)), indices=True),
    "Mask R-CNN": Sketch((_PICTURE, *_PYRAMID, Part("boxes", 1, "boxes"), Part("masks", 1, "a mask in each"))),
    "DeepLabV3": Sketch((_PICTURE, *_DILATED, Part("branches", 0.8, "side by side"), _ANSWER)),
    "DeepLabV3+": Sketch((_PICTURE, *_DILATED, Part("branches", 0.8), Part("drawn", 0.72, "decoder"), _ANSWER),
                         ((1, 6),)),
    "UPerNet": Sketch((_PICTURE, *_PYRAMID, Part("drawn", 0.36), Part("drawn", 0.5), Part("drawn", 0.72, "pyramid"),
                       _ANSWER), ((3, 5), (2, 6), (1, 7))),
    "FPN": Sketch((_PICTURE, *_PYRAMID, Part("drawn", 0.36), Part("drawn", 0.5, "pyramid"), Part("drawn", 0.72),
                   Part("drawn", 0.72, "summed"), _ANSWER), ((3, 5), (2, 6), (1, 7), (5, 8), (6, 8))),
    "FastFCN": Sketch((_PICTURE, *_PYRAMID, Part("drawn", 0.5, "joint upsampling"), _ANSWER), ((2, 5), (3, 5))),
    "LR-ASPP": Sketch((_PICTURE, Part("map", 0.72), Part("map", 0.5, "mobile"), Part("map", 0.36),
                       Part("gate", 0.4, "gate"), Part("drawn", 0.5, "added"), _ANSWER), ((2, 5),)),
    "EfficientNet": Sketch((Part("map", 0.36, "small"), Part("arrow", 0.4, "deeper"), Part("map", 0.36),
                            Part("map", 0.36), Part("arrow", 0.4, "wider, larger"), Part("wide", 0.72),
                            Part("wide", 0.72, "all by one rule"), Part("wide", 0.72))),
    "DPT": Sketch((_PICTURE, Part("tokens", 0.5), Part("tokens", 0.5, "tokens"), Part("tokens", 0.5),
                   Part("drawn", 0.36), Part("drawn", 0.5, "put together"), Part("drawn", 0.72), _ANSWER),
                  ((1, 6), (2, 5))),
    "Segmenter": Sketch((_PICTURE, Part("tokens", 0.5), Part("tokens", 0.5, "patches"), Part("tokens", 0.5),
                         Part("asking", 0.6, "class tokens"), _ANSWER), ((3, 5),)),
    "SegFormer": Sketch((_PICTURE, Part("tokens", 0.72), Part("tokens", 0.5, "four scales"), Part("tokens", 0.36),
                         Part("tokens", 0.25), Part("drawn", 0.72, "linear layers"), _ANSWER),
                        ((1, 5), (2, 5), (3, 5))),
    "BEiT": Sketch((_PICTURE, Part("hidden", 0.5, "some hidden"), Part("tokens", 0.5), Part("tokens", 0.5, "guessed"),
                    Part("drawn", 0.72), _ANSWER)),
    "MaskFormer": Sketch((_PICTURE, *_PYRAMID, Part("drawn", 0.72, "decoder"), Part("asking", 0.7, "queries"),
                          Part("masks", 1, "masks")), ((5, 7),)),
    "MobileViT": Sketch((_PICTURE, Part("map", 0.72), Part("map", 0.5), Part("tokens", 0.36, "attention inside"),
                         Part("map", 0.36), Part("tokens", 0.25), Part("drawn", 0.5), _ANSWER)),
    "Mask2Former": Sketch((_PICTURE, *_PYRAMID, Part("drawn", 0.36), Part("drawn", 0.5), Part("drawn", 0.72, "scales"),
                           Part("asking", 0.7, "queries"), Part("masks", 1, "masks")),
                          ((5, 8), (6, 8), (7, 9))),
    "OneFormer": Sketch((_PICTURE, *_PYRAMID, Part("drawn", 0.5), Part("drawn", 0.72), Part("task", 0.4, "task"),
                         Part("asking", 0.7, "queries"), Part("masks", 1, "masks")), ((5, 8), (6, 9))),
    "EoMT": Sketch((_PICTURE, Part("tokens", 0.5), Part("tokens", 0.5, "patches"), Part("tokens", 0.5),
                    Part("joined", 0.5), Part("joined", 0.5, "with queries"), Part("masks", 1, "masks"))),
}  # fmt: skip


def svg(sketch: Sketch, ink: str) -> str:
    """The drawing as an SVG file. ink: the page's text colour, "#rrggbb"."""
    widths = [_PARTS[part.kind][1] for part in sketch.parts]
    gap = (_WIDTH - 16 - sum(widths)) / max(1, len(widths) - 1)
    lefts = [8 + sum(widths[:i]) + i * gap for i in range(len(widths))]
    centres = [left + width / 2 for left, width in zip(lefts, widths, strict=True)]
    lines = [
        f'<line x1="{a + w + 3:.0f}" y1="{_MIDDLE}" x2="{b - 3:.0f}" y2="{_MIDDLE}"/>'
        for a, w, b in zip(lefts, widths, lefts[1:], strict=False)
    ]
    arcs = [_arc(centres, sketch, pair) for pair in sketch.handed]
    parts = [_PARTS[part.kind][0](left, part.size) for left, part in zip(lefts, sketch.parts, strict=True)]
    named = [_named(x, part.words) for x, part in zip(centres, sketch.parts, strict=True) if part.words]
    dots = ' stroke-dasharray="1.5 4.5" stroke-linecap="round"' if sketch.indices else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" font-family="Source Sans Pro, sans-serif" font-size="14" text-anchor="middle">'
        f'<g stroke="{ink}" stroke-opacity="0.35" stroke-width="1.5">{"".join(lines)}</g>'
        f'<g fill="none" stroke="{AMBER}" stroke-width="2"{dots}>{"".join(arcs)}</g>'
        f'{"".join(parts)}<g fill="{ink}" fill-opacity="0.8">{"".join(named)}</g></svg>'
    )


def _named(x: float, name: str) -> str:
    """The name of a part below it, within the drawing's edges."""
    half = _LETTER * len(name) / 2
    return f'<text x="{min(max(x, half), _WIDTH - half):.0f}" y="{_HEIGHT - 10}">{name}</text>'


def _arc(centres: list[float], sketch: Sketch, pair: tuple[int, int]) -> str:
    """From the top of one part over those between to the top of another."""
    first, last = pair
    tops = [_MIDDLE - part.size * _TALL / 2 for part in sketch.parts]
    start, end = tops[first] - 3, tops[last] - 3
    peak = min(tops[first : last + 1]) - 14 - 5 * (last - first)
    left, right = centres[first], centres[last]
    return f'<path d="M{left:.0f} {start:.0f} C{left:.0f} {peak:.0f} {right:.0f} {peak:.0f} {right:.0f} {end:.0f}"/>'


def _box(x: float, size: float, width: float, color: str, opacity: float = 1) -> str:
    height = size * _TALL
    return (
        f'<rect x="{x:.1f}" y="{_MIDDLE - height / 2:.1f}" width="{width}" height="{height:.1f}" rx="3" '
        f'fill="{color}" fill-opacity="{opacity}"/>'
    )


def _spots(x: float, size: float, step: float, radius: float, color: str, columns: int = 2) -> str:
    """Dots in columns, as many as the height holds."""
    count = max(2, int(size * _TALL / step))
    top = _MIDDLE - (count - 1) * step / 2
    return "".join(
        f'<circle cx="{x + radius + 1 + c * step:.1f}" cy="{top + r * step:.1f}" r="{radius}" fill="{color}"/>'
        for r in range(count)
        for c in range(columns)
    )


def _picture(x: float, size: float) -> str:
    return (
        _box(x, size, 44, "#7fb2d6", 0.9)
        + f'<rect x="{x:.1f}" y="{_MIDDLE + 14}" width="44" height="38" rx="3" fill="#8d9296"/>'
        + f'<rect x="{x + 12:.1f}" y="{_MIDDLE - 2}" width="20" height="24" rx="4" fill="#3c4d59"/>'
    )


def _answer(x: float, size: float) -> str:
    return (
        _box(x, size, 44, TEAL, 0.35)
        + f'<rect x="{x:.1f}" y="{_MIDDLE + 14}" width="44" height="38" rx="3" fill="{VIOLET}" fill-opacity="0.55"/>'
        + f'<rect x="{x + 12:.1f}" y="{_MIDDLE - 2}" width="20" height="24" rx="4" fill="{AMBER}"/>'
    )


def _dilated(x: float, size: float) -> str:
    return _box(x, size, 16, TEAL, 0.4) + _spots(x + 4, size, 13, 3, TEAL, 1)


def _branches(x: float, size: float) -> str:
    """Four parallel parts, their dots ever farther apart."""
    rows = []
    for i, step in enumerate((5, 8, 11, 14)):
        y = _MIDDLE - size * _TALL / 2 + i * size * _TALL / 4
        rows.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="44" height="16" rx="3" fill="{TEAL}" fill-opacity="0.3"/>')
        rows += [f'<circle cx="{x + 22 + k * step}" cy="{y + 8:.1f}" r="2.3" fill="{TEAL}"/>' for k in (-1, 0, 1)]
    return "".join(rows)


def _graph(x: float, size: float) -> str:
    """Pixels that are tied to each other."""
    spots = [(x + 6 + 16 * c, _MIDDLE - 36 + 24 * r) for r in range(4) for c in range(3)]
    lines = [
        f'<line x1="{a[0]:.0f}" y1="{a[1]:.0f}" x2="{b[0]:.0f}" y2="{b[1]:.0f}" stroke="{AMBER}" stroke-opacity="0.5"/>'
        for a in spots
        for b in spots
        if a < b and abs(a[0] - b[0]) + abs(a[1] - b[1]) <= 40
    ]
    return "".join(lines) + "".join(f'<circle cx="{a:.0f}" cy="{b:.0f}" r="4" fill="{AMBER}"/>' for a, b in spots)


def _boxes(x: float, size: float) -> str:
    return _box(x, size, 54, TEAL, 0.14) + "".join(
        f'<rect x="{x + a:.1f}" y="{_MIDDLE + b}" width="{w}" height="{h}" rx="2" fill="none" stroke="{VIOLET}" '
        'stroke-width="2"/>'
        for a, b, w, h in ((6, -10, 20, 22), (29, -2, 20, 18), (12, 22, 34, 22))
    )


def _masks(x: float, size: float) -> str:
    return _box(x, size, 54, TEAL, 0.14) + "".join(
        f'<ellipse cx="{x + a:.1f}" cy="{_MIDDLE + b}" rx="{w}" ry="{h}" fill="{color}"/>'
        for a, b, w, h, color in ((16, 1, 9, 10, VIOLET), (39, 7, 9, 8, AMBER), (29, 33, 16, 10, TEAL))
    )


def _asking(x: float, size: float) -> str:
    return _spots(x, size, 12, 4, VIOLET, 1)


def _joined(x: float, size: float) -> str:
    return _spots(x, size, 9, 3, TEAL) + _spots(x + 20, size, 9, 3, VIOLET, 1)


def _hidden(x: float, size: float) -> str:
    dots = _spots(x, size, 9, 3, TEAL).split("/>")[:-1]
    return "".join(
        (dot.replace(f'fill="{TEAL}"', f'fill="none" stroke="{TEAL}"') if i % 5 in (1, 2) else dot) + "/>"
        for i, dot in enumerate(dots)
    )


def _sign(x: float, size: float, sign: str) -> str:
    return (
        _box(x, size, 40, VIOLET, 0.25)
        + f'<text x="{x + 20:.0f}" y="{_MIDDLE + 7}" fill="{VIOLET}" font-size="20">{sign}</text>'
    )


def _arrow(x: float, size: float) -> str:
    y = _MIDDLE
    return f'<path d="M{x:.0f} {y} h26 m-8 -7 l8 7 l-8 7" fill="none" stroke="{AMBER}" stroke-width="2.5"/>'


# By kind: how it is drawn, from its left edge and the size of its map, and how wide it is.
_PARTS: Final[dict[str, tuple[Callable[[float, float], str], int]]] = {
    "picture": (_picture, 44),
    "map": (lambda x, size: _box(x, size, 16, TEAL), 16),
    "wide": (lambda x, size: _box(x, size, 30, TEAL), 30),
    "dilated": (_dilated, 16),
    "drawn": (lambda x, size: _box(x, size, 16, AMBER), 16),
    "answer": (_answer, 44),
    "branches": (_branches, 44),
    "graph": (_graph, 44),
    "boxes": (_boxes, 54),
    "masks": (_masks, 54),
    "tokens": (lambda x, size: _spots(x, size, 9, 3, TEAL), 18),
    "hidden": (_hidden, 18),
    "asking": (_asking, 10),
    "joined": (_joined, 28),
    "gate": (lambda x, size: _sign(x, size, "×"), 40),
    "task": (lambda x, size: _sign(x, size, "?"), 40),
    "arrow": (_arrow, 26),
}
