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

import torch
import torch.nn.functional as F
from torch import Tensor

from segdemo.errors import ModelError

_LARGEST_KEY = 2**63 - 1


@dataclass(frozen=True, eq=False)
class Lattice:
    """The filter of N points with M corners, normalised symmetrically.

    With K the matrix of Gaussians exp(-|f_i - f_j|² / 2) that the lattice approximates, the diagonal with it, and D its
    row sums, it is D^-1/2 K D^-1/2: the normalisation of Krähenbühl and Koltun's code of 2013. Made by `lattice`.

    corners (N, d + 1) int32 and weights (N, d + 1) float32: whose values a point reads. points, point_weights: who
    gives to a corner, corner by corner, each beginning at starts (M + 2,). Row M stands for all that do not exist.
    neighbours: per axis (M + 1, 3) int32, each corner and the two beside it.
    """

    corners: Tensor
    weights: Tensor
    points: Tensor
    point_weights: Tensor
    starts: Tensor
    neighbours: tuple[Tensor, ...]

    def filtered(self, values: Tensor) -> Tensor:
        """Filter every column of values (N, C) float32; a new (N, C) float32."""
        at_corners = F.embedding_bag(
            self.points,
            values,
            self.starts,
            mode="sum",
            per_sample_weights=self.point_weights,
            include_last_offset=True,
        )
        shares = at_corners.new_tensor([0.5, 0.25, 0.25]).expand(len(at_corners), 3).contiguous()
        for neighbours in self.neighbours:
            at_corners = F.embedding_bag(neighbours, at_corners, mode="sum", per_sample_weights=shares)
        return F.embedding_bag(self.corners, at_corners, mode="sum", per_sample_weights=self.weights)


def lattice(features: Tensor) -> Lattice:
    """The lattice of points with these features (d, N) float32, in standard deviations of the Gaussian.

    Fastest where points that follow each other are close in the last features: corners lie in memory in their order.
    Raises `ModelError` where the features spread over more cells than can be numbered.
    """
    nearest, rank, weights = _simplices(features)
    radix = _radix(nearest)
    keys = _corner_keys(nearest, rank, radix)
    sorted_keys, order = keys.flatten().sort(stable=True)
    distinct, ids, counts = torch.unique_consecutive(sorted_keys, return_inverse=True, return_counts=True)
    corners = torch.empty_like(ids, dtype=torch.int32)
    corners[order] = ids.int()
    starts = F.pad(counts.cumsum(0), (1, 1))
    starts[-1] = starts[-2]  # nobody gives to row M
    plain = Lattice(
        corners.view_as(keys).t().contiguous(),
        weights.t().contiguous(),
        (order % keys.shape[1]).int(),
        weights.flatten()[order],
        starts.int(),
        _neighbours(distinct, radix),
    )
    return _normalised(plain)


def _normalised(plain: Lattice) -> Lattice:
    scale = plain.filtered(plain.weights.new_ones(len(plain.weights), 1)).rsqrt_()
    plain.weights.mul_(scale)
    plain.point_weights.mul_(scale[:, 0][plain.points])
    return plain


def _simplices(features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The simplex of each point: nearest (d + 1, N), rank (d + 1, N), weights (d + 1, N).

    nearest: its corner of remainder 0, whole multiples of d + 1 that sum to 0. rank: the order of the point's
    coordinates around it, 0 for the one furthest above. weights: of the corners of remainder 0, 1, … d; they sum to 1.
    """
    sides = len(features) + 1
    elevated = _embedding(len(features)).to(features.device) @ features
    nearest = (elevated / sides).round_().mul_(sides)
    rank = _ranks(elevated - nearest)
    # Rounding may leave the plane on which coordinates sum to 0: those rounded furthest go the other way.
    rank += (nearest.sum(0) / sides).round_().int()
    turn = ((rank < 0).int() - (rank >= sides).int()) * sides
    rank += turn
    nearest += turn
    above = (elevated - nearest).div_(sides)
    descending = torch.empty_like(above).scatter_(0, rank.long(), above)
    first = 1 - (descending[:1] - descending[-1:])
    return nearest, rank, torch.cat([first, (descending[:-1] - descending[1:]).flip(0)])


def _embedding(dimensions: int) -> Tensor:
    """(d + 1, d): orthogonal directions within the plane where coordinates sum to 0, the last feature's in the last.

    The scale makes splat, blur and slice together a Gaussian of standard deviation 1 (Adams et al., section 3).
    """
    columns = torch.ones(dimensions + 1, dimensions).triu_()
    numbers = torch.arange(1, dimensions + 1)
    columns[numbers, numbers - 1] = -numbers.float()
    return columns * (math.sqrt(2 / 3) * (dimensions + 1) / (numbers * (numbers + 1)).sqrt())


def _ranks(offsets: Tensor) -> Tensor:
    """How many coordinates of each point are above each: (d + 1, N) int32."""
    rank = torch.zeros_like(offsets, dtype=torch.int32)
    for i in range(len(offsets)):
        for j in range(i):
            above = offsets[i] > offsets[j]
            rank[j] += above
            rank[i] += ~above
    return rank


def _radix(nearest: Tensor) -> Tensor:
    """(d + 1,) int64: what each coordinate counts in a corner's key, so that neighbours too have keys of their own.

    The first coordinate follows from the others and counts nothing; the last counts most.
    """
    sides = len(nearest)
    # A corner lies within d of the nearest one, and a neighbour within d of a corner.
    spans = [int(span) + 4 * sides for span in (nearest.amax(1) - nearest.amin(1)).tolist()[1:]]
    if math.prod(spans) > _LARGEST_KEY:
        raise ModelError(
            "The standard deviations of the CRF are too small for this picture: its colours and positions span more "
            "cells than can be numbered; choose larger ones."
        )
    radix = [0, *(math.prod(spans[:i]) for i in range(len(spans)))]
    return torch.tensor(radix, device=nearest.device)


def _corner_keys(nearest: Tensor, rank: Tensor, radix: Tensor) -> Tensor:
    """(d + 1, N) int64: a number for each corner of each simplex, the same for the same corner."""
    sides = len(nearest)
    by_rank = torch.empty(nearest.shape, dtype=torch.int64, device=nearest.device)
    by_rank.scatter_(0, rank.long(), radix[:, None].expand_as(by_rank))
    keys = torch.empty_like(by_rank)
    keys[0] = 0
    for coordinate, count in zip(nearest, radix, strict=True):
        keys[0] += coordinate.long() * count
    # From one remainder to the next all coordinates rise by 1, but for one that falls by d.
    for remainder in range(1, sides):
        torch.sub(keys[remainder - 1] + radix.sum(), by_rank[sides - remainder], alpha=sides, out=keys[remainder])
    return keys


def _neighbours(keys: Tensor, radix: Tensor) -> tuple[Tensor, ...]:
    """Per axis (M + 1, 3) int32: each corner of the sorted keys (M,), the next and the one before; M where none."""
    count, sides = len(keys), len(radix)
    own = torch.arange(count, device=keys.device)
    found = []
    for step in radix.sum() - sides * radix:
        wanted = keys + step
        place = torch.searchsorted(keys, wanted).clamp_(max=count - 1)
        there = keys[place] == wanted
        table = torch.full((count + 1, 3), count, dtype=torch.int32, device=keys.device)
        table[:count, 0] = own
        table[:count, 1] = torch.where(there, place, count)
        table[place[there], 2] = own[there].int()
        found.append(table)
    return tuple(found)
