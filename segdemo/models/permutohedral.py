"""Gaussian filtering in a space of several dimensions, such as position and colour, in time linear in the points.

Adams, Baek and Davis, "Fast High-Dimensional Filtering Using the Permutohedral Lattice", Eurographics 2010. Space is
tiled with simplices. Each point gives its value to the d + 1 corners of its simplex by barycentric weights (splat), the
corners are blurred along the lattice's d + 1 axes, and each point reads back with the same weights (slice). Only
corners that some point touches exist; what the blur would give to others is lost, as in the authors' code.

All three steps are sums of a few weighted rows of a table, which torch has as `embedding_bag`: vectorised and threaded
on a CPU, without atomic additions on a GPU, so that the same input gives the same bits.
"""

import math
from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from segdemo.errors import ModelError

_LARGEST_KEY: Final = 2**63 - 1
# Points placed at a time: what is computed on the way should stay in a CPU's cache, and fill a GPU.
_POINTS_CPU: Final = 1 << 15
_POINTS_GPU: Final = 1 << 22


@dataclass(frozen=True, eq=False)
class Lattice:
    """The filter of N points with M corners, normalised symmetrically. Made by `lattice`.

    With K the matrix of Gaussians exp(-|f_i - f_j|² / 2) that the lattice approximates, its diagonal included, and D
    its row sums, it is D^-1/2 K D^-1/2: the normalisation of Krähenbühl and Koltun's code of 2013.

    corners (N, d + 1) int32 and weights (N, d + 1) float32: what a point reads. points and point_weights: what corners
    get, one after the other, each from its place in starts (M + 2,). neighbours: per axis (M + 1, 3) int32, each corner
    and the two beside it. Row M stands for all corners that do not exist, and is 0.
    """

    corners: Tensor
    weights: Tensor
    points: Tensor
    point_weights: Tensor
    starts: Tensor
    neighbours: tuple[Tensor, ...]

    def at_corners(self, values: Tensor) -> Tensor:
        """Splat and blur every column of values (N, C) float32: (M + 1, C) float32."""
        table = F.embedding_bag(
            self.points,
            values,
            self.starts,
            mode="sum",
            per_sample_weights=self.point_weights,
            include_last_offset=True,
        )
        shares = table.new_tensor([0.5, 0.25, 0.25]).expand(len(table), 3).contiguous()
        for neighbours in self.neighbours:
            table = F.embedding_bag(neighbours, table, mode="sum", per_sample_weights=shares)
        return table

    def read(self, table: Tensor, points: slice) -> Tensor:
        """What these points read from the corners (M + 1, C): (points, C) float32."""
        return F.embedding_bag(self.corners[points], table, mode="sum", per_sample_weights=self.weights[points])


def lattice(features: Tensor) -> Lattice:
    """The lattice of points with these features (d, N) float32, in standard deviations of the Gaussian.

    Fastest where points that follow each other are close in the last features: corners lie in memory in their order.
    Raises `ModelError` where the features spread over more cells than can be numbered.
    """
    dimensions, count = features.shape
    embedding = _embedding(dimensions).to(features.device)
    radix = _radix(features, embedding)
    keys = torch.empty(count, dimensions + 1, dtype=torch.int64, device=features.device)
    weights = torch.empty(count, dimensions + 1, device=features.device)
    step = _POINTS_CPU if features.device.type == "cpu" else _POINTS_GPU
    for start in range(0, count, step):
        part = slice(start, start + step)
        nearest, rank, shares = _simplices(embedding @ features[:, part])
        keys[part] = _corner_keys(nearest, rank, radix).t()
        weights[part] = shares.t()
    return _normalised(_connected(keys, weights, radix))


def _embedding(dimensions: int) -> Tensor:
    """(d + 1, d): orthogonal directions in the plane where coordinates sum to 0; the last coordinate has one feature.

    The scale makes splat, blur and slice together a Gaussian of standard deviation 1 (Adams et al., section 3).
    """
    columns = torch.ones(dimensions + 1, dimensions).triu_()
    numbers = torch.arange(1, dimensions + 1)
    columns[numbers, numbers - 1] = -numbers.float()
    return columns * (math.sqrt(2 / 3) * (dimensions + 1) / (numbers * (numbers + 1)).sqrt())


def _radix(features: Tensor, embedding: Tensor) -> Tensor:
    """(d + 1,) int64: what each coordinate counts in a corner's key, so that neighbours too have keys of their own.

    The first coordinate follows from the others and counts nothing; the last counts most.
    """
    sides = len(embedding)
    reach = embedding.abs() @ (features.amax(1) - features.amin(1))
    # On either side: 1.5 sides to the nearest corner of remainder 0, 1 to the simplex's other corners, 1 to neighbours.
    spans = [math.ceil(span) + 7 * sides for span in reach.tolist()[1:]]
    if math.prod(spans) > _LARGEST_KEY:
        raise ModelError(
            "The standard deviations of the CRF are too small for this picture: its colours and positions span more "
            "cells than can be numbered; choose larger ones."
        )
    radix = [0, *(math.prod(spans[:i]) for i in range(len(spans)))]
    return torch.tensor(radix, device=features.device)


def _simplices(elevated: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The simplex around each point (d + 1, N) float32, its coordinates in the lattice's plane.

    nearest (d + 1, N) float32: the corner of remainder 0, multiples of d + 1 that sum to 0. rank (d + 1, N) int32: the
    order of coordinates, 0 for the one most above that corner. weights (d + 1, N) float32: those of the corners of
    remainder 0, 1, … d; they sum to 1.
    """
    sides = len(elevated)
    nearest = (elevated / sides).round_().mul_(sides)
    rank = _ranks(elevated - nearest)
    # Rounding may leave the plane where coordinates sum to 0: those rounded furthest go the other way.
    rank += (nearest.sum(0) / sides).round_().int()
    turn = ((rank < 0).int() - (rank >= sides).int()) * sides
    rank += turn
    nearest += turn
    above = (elevated - nearest).div_(sides)
    descending = torch.empty_like(above).scatter_(0, rank.long(), above)
    first = 1 - (descending[:1] - descending[-1:])
    return nearest, rank, torch.cat([first, (descending[:-1] - descending[1:]).flip(0)])


def _ranks(offsets: Tensor) -> Tensor:
    """How many coordinates of each point are above each: (d + 1, N) int32."""
    rank = torch.zeros_like(offsets, dtype=torch.int32)
    for i in range(len(offsets)):
        for j in range(i):
            above = offsets[i] > offsets[j]
            rank[j] += above
            rank[i] += ~above
    return rank


def _corner_keys(nearest: Tensor, rank: Tensor, radix: Tensor) -> Tensor:
    """(d + 1, N) int64: a number for each corner of each simplex, the same for the same corner."""
    sides = len(nearest)
    by_rank = torch.empty(nearest.shape, dtype=torch.int64, device=nearest.device)
    by_rank.scatter_(0, rank.long(), radix[:, None].expand_as(by_rank))
    keys = torch.empty_like(by_rank)
    torch.sum(nearest.long() * radix[:, None], 0, out=keys[0])
    # From one remainder to the next all coordinates rise by 1, but for one that falls by d.
    for remainder in range(1, sides):
        torch.sub(keys[remainder - 1] + radix.sum(), by_rank[sides - remainder], alpha=sides, out=keys[remainder])
    return keys


def _connected(keys: Tensor, weights: Tensor, radix: Tensor) -> Lattice:
    """The lattice of points whose corners have these keys (N, d + 1) and weights (N, d + 1), not normalised yet."""
    sorted_keys, order = keys.flatten().sort(stable=True)
    distinct, ids, counts = torch.unique_consecutive(sorted_keys, return_inverse=True, return_counts=True)
    corners = torch.empty_like(ids, dtype=torch.int32)
    corners[order] = ids.int()
    starts = F.pad(counts.cumsum(0), (1, 1))
    starts[-1] = len(order)  # row M gets nothing
    return Lattice(
        corners=corners.view_as(keys),
        weights=weights,
        points=torch.div(order, keys.shape[1], rounding_mode="trunc").int(),
        point_weights=weights.flatten()[order],
        starts=starts.int(),
        neighbours=_neighbours(distinct, radix),
    )


def _neighbours(keys: Tensor, radix: Tensor) -> tuple[Tensor, ...]:
    """Per axis (M + 1, 3) int32: each corner of the sorted keys (M,), the next and the one before; M where none."""
    count, sides = len(keys), len(radix)
    own = torch.arange(count, device=keys.device, dtype=torch.int32)
    found = []
    for step in radix.sum() - sides * radix:
        place = torch.searchsorted(keys, keys + step, out_int32=True).clamp_(max=count - 1)
        there = keys[place] == keys + step
        table = torch.full((count + 1, 3), count, dtype=torch.int32, device=keys.device)
        table[:count, 0] = own
        table[:count, 1] = torch.where(there, place, count)
        table[place[there], 2] = own[there]
        found.append(table)
    return tuple(found)


def _normalised(plain: Lattice) -> Lattice:
    """The same with D^-1/2 in its weights, which are changed in place."""
    ones = plain.weights.new_ones(len(plain.weights), 1)
    scale = plain.read(plain.at_corners(ones), slice(None)).rsqrt_()
    plain.weights.mul_(scale)
    plain.point_weights.mul_(scale[:, 0][plain.points])
    return plain
