"""Where tiles lie, and bands of rows of them put together to bands of the whole.

A picture is cut into rows of tiles that overlap by a quarter of a tile or more. Between two neighbours, around the
middle of their overlap, a quarter of a tile is theirs together: there one fades into the other. What lies beyond that,
next to a tile's border, is seen with the least around it and not used. Nowhere are more than two neighbours at once.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

_PARTS = 4  # of a tile: neighbours overlap by one of them or more, and fade within one


@dataclass(frozen=True)
class Span:
    """A tile along one side of a picture.

    start, stop: its pixels. first, last: those of them that are nearer to its middle than to that of another tile.
    """

    start: int
    stop: int
    first: int
    last: int


def spans(side: int, tile: int | None) -> tuple[Span, ...]:
    """The tiles along a side, spread evenly from end to end; one where the side is no longer, or `tile` is None."""
    if tile is None or tile >= side:
        return (Span(0, side, 0, side),)
    most = tile - tile // _PARTS  # from one tile to the next
    gaps = -(-(side - tile) // most)
    starts = [i * (side - tile) // gaps for i in range(gaps + 1)]
    middles = [(start + before + tile) // 2 for before, start in pairwise(starts)]
    return tuple(
        Span(start, start + tile, first, last)
        for start, first, last in zip(starts, [0, *middles], [*middles, side], strict=True)
    )


def shortest(side: int, most: int) -> int:
    """The shortest tile of which no more are needed along a side than of tiles of `most`."""
    gaps = len(spans(side, most)) - 1
    return min(most, -(-side * _PARTS // (_PARTS + gaps * (_PARTS - 1))))


def largest(size_hw: tuple[int, int], area: int) -> tuple[int, int]:
    """Height and width of a picture's tiles of no more than `area`, of which the shorter is as long as it can be.

    area: 16 or more, in the unit of the sizes; smaller tiles have no quarter to share.
    """
    height, width = size_hw
    heights = {shortest(height, most) for most in range(1, min(height, area) + 1)}
    sides = ((tall, shortest(width, area // tall)) for tall in heights if tall <= area)
    return max(sides, key=lambda tile: (min(tile), -sum(tile)))


class Rows:
    """Bands of rows (N, C, any, W) as one stream, from which any number of rows can be taken."""

    def __init__(self, bands: Iterable[Tensor]) -> None:
        self._bands = iter(bands)
        self._rest: Tensor | None = None

    def ready(self) -> int:
        """How many rows can be taken at once; 0 at the end."""
        while self._rest is None or self._rest.shape[2] == 0:
            self._rest = None  # before the next is made: it may need the same memory
            self._rest = next(self._bands, None)
            if self._rest is None:
                return 0
        return self._rest.shape[2]

    def take(self, count: int) -> Tensor:
        """The next rows, no more than are ready. They are the caller's to change until `ready` is asked again."""
        if self._rest is None or count > self._rest.shape[2]:
            raise ValueError(f"{count} rows are not ready")
        taken, self._rest = self._rest[:, :, :count], self._rest[:, :, count:]
        return taken

    def skip(self, count: int) -> None:
        """Leave rows out."""
        for _ in in_step([self], count):
            pass


def in_step(streams: Sequence[Rows], count: int) -> Iterator[list[Tensor]]:
    """The next `count` rows of all streams, in bands of the same rows."""
    while count:
        rows = min(count, *(stream.ready() for stream in streams))
        yield [stream.take(rows) for stream in streams]
        count -= rows


def mean(streams: Sequence[Rows], height: int) -> Iterator[Tensor]:
    """Bands of the mean of several streams of `height` rows."""
    for first, *others in in_step(streams, height):
        for other in others:
            first += other
        yield first.div_(len(streams)) if others else first


def side_by_side(tiles: Sequence[Span], streams: Sequence[Rows], height: int) -> Iterator[Tensor]:
    """Bands of a row of tiles of `height` rows from those of each tile."""
    width, ramp = tiles[-1].last, _ramp(tiles[0])
    half = len(ramp) // 2
    seams = [slice(tile.first - half, tile.first + half) for tile in tiles[1:]]
    alone = [
        slice(*ends) for ends in zip([0, *(s.stop for s in seams)], [*(s.start for s in seams), width], strict=True)
    ]
    for parts in in_step(streams, height):
        if len(parts) == 1:
            yield parts[0]
            continue
        ramp = ramp.to(parts[0].device)
        wide = parts[0].new_empty((*parts[0].shape[:3], width))
        for tile, part, columns in zip(tiles, parts, alone, strict=True):
            wide[..., columns] = _columns(part, tile, columns)
        for ((left, first), (right, second)), seam in zip(pairwise(zip(tiles, parts, strict=True)), seams, strict=True):
            torch.lerp(_columns(first, left, seam), _columns(second, right, seam), ramp, out=wide[..., seam])
        yield wide


def stacked(tiles: Sequence[Span], row_of_tiles: Callable[[Span], Iterator[Tensor]]) -> Iterator[Tensor]:
    """Bands of the whole picture from those of each row of tiles.

    row_of_tiles: the bands of one. It is called when its first rows are needed, so that no more than two are held.
    """
    height, half = tiles[-1].last, tiles[0].stop // _PARTS // 2
    upper, done = Rows(row_of_tiles(tiles[0])), 0
    for tile in tiles[1:]:
        for (band,) in in_step([upper], tile.first - half - done):
            yield band
        lower = Rows(row_of_tiles(tile))
        lower.skip(tile.first - half - tile.start)
        weights, at = _ramp(tile).view(-1, 1), 0
        for above, below in in_step([upper, lower], 2 * half):
            rows = above.shape[2]
            yield torch.lerp(above, below, weights[at : at + rows].to(above.device))
            at += rows
        upper, done = lower, tile.first + half
    for (band,) in in_step([upper], height - done):
        yield band


def _columns(part: Tensor, tile: Span, columns: slice) -> Tensor:
    """Columns of the picture from a tile's part of it."""
    return part[..., columns.start - tile.start : columns.stop - tile.start]


def _ramp(tile: Span) -> Tensor:
    """The weight of the latter of two neighbours, float32, from 0 to 1; twice as long as an eighth of a tile."""
    length = 2 * ((tile.stop - tile.start) // _PARTS // 2)
    return (torch.arange(length) + 0.5) / length
