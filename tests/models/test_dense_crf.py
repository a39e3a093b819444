"""The CRF against one that holds every pair of pixels, and what must hold whatever the picture."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from segdemo.datasets.street_scenes import street_scene
from segdemo.errors import ModelError
from segdemo.models import dense_crf, permutohedral
from segdemo.models.dense_crf import CrfSettings, features, refined
from segdemo.models.permutohedral import lattice

WIDE = CrfSettings(bilateral_rgb_std=30, bilateral_xy_std=10, spatial_xy_std=3)


def normalised_gaussian(points: Tensor) -> Tensor:
    """(N, N): D^-1/2 K D^-1/2 of points (d, N), the diagonal included."""
    kernel = torch.cdist(points.t().double(), points.t().double()).square().mul(-0.5).exp()
    scale = kernel.sum(1).rsqrt()
    return kernel * scale * scale[:, None]


def exact(probabilities: Tensor, rgb: Tensor, settings: CrfSettings) -> Tensor:
    """Mean field with all pairs of pixels, in float64."""
    classes, height, width = probabilities.shape
    places = torch.cartesian_prod(torch.arange(height), torch.arange(width)).t() / settings.spatial_xy_std
    kernel = settings.bilateral_weight * normalised_gaussian(features(rgb, settings))
    kernel += settings.spatial_weight * normalised_gaussian(places)
    unary = probabilities.flatten(1).t().double().log()
    beliefs = unary.exp()
    for _ in range(settings.iterations):
        beliefs = torch.softmax(unary + kernel @ beliefs, 1)
    return beliefs.t().reshape(classes, height, width).float()


def noisy_answer(labels: Tensor, classes: int, seed: int = 0) -> Tensor:
    """Probabilities (C, H, W) that favour the labels, with noise that often wins."""
    favoured = 2 * torch.nn.functional.one_hot(labels.long(), classes).permute(2, 0, 1)
    return (favoured + torch.randn(favoured.shape, generator=torch.Generator().manual_seed(seed))).softmax(0)


def scene_window() -> tuple[Tensor, Tensor]:
    """A piece of a scene (3, 40, 56), and its labels."""
    scene = street_scene(3, (360, 480))
    rows, columns = slice(200, 240), slice(300, 356)
    return torch.tensor(scene.rgb[rows, columns]).permute(2, 0, 1), torch.tensor(scene.labels[rows, columns])


def random_rgb(height: int, width: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 256, (3, height, width), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


@pytest.mark.parametrize("dimensions", [1, 2, 5])
def test_the_lattice_filters_as_the_gaussian_does(dimensions: int):
    draw = torch.Generator().manual_seed(0)
    points = 1.5 * torch.randn(dimensions, 3000, generator=draw)
    values = torch.rand(3000, 2, generator=draw)
    found = lattice(points)
    got = found.read(found.at_corners(values), slice(None))
    expected = normalised_gaussian(points).float() @ values
    assert (got - expected).abs().mean() / expected.mean() < 0.06
    assert torch.corrcoef(torch.stack([got[:, 0], expected[:, 0]]))[0, 1] > 0.93


def test_barycentric_weights_give_back_the_point():
    """The corners' own coordinates, averaged by the weights, are the point: so the simplex is the right one."""
    elevated = permutohedral._embedding(5) @ (10 * torch.randn(5, 500, generator=torch.Generator().manual_seed(1)))
    nearest, rank, weights = permutohedral._simplices(elevated)
    remainders = torch.arange(6)[:, None, None]
    corners = nearest + remainders - 6 * (rank > 5 - remainders)  # (corner, coordinate, point)
    assert (weights > -1e-5).all()
    torch.testing.assert_close((weights[:, None] * corners).sum(0), elevated, atol=1e-3, rtol=0)
    assert not corners.sum(1).any()


@pytest.mark.parametrize("settings", [CrfSettings(), WIDE, replace(WIDE, iterations=10)], ids=["default", "wide", "10"])
def test_probabilities_are_those_of_the_crf_with_all_pairs(settings: CrfSettings):
    rgb, labels = scene_window()
    probabilities = noisy_answer(labels, 11)
    got, expected = refined(probabilities, rgb, settings), exact(probabilities, rgb, settings)
    assert (got - expected).abs().sum(0).mean() < 0.02
    assert (got.argmax(0) == expected.argmax(0)).float().mean() > 0.99
    assert (probabilities.argmax(0) == expected.argmax(0)).float().mean() < 0.9  # there was something to do


def test_the_spatial_kernel_is_exact_up_to_its_cut():
    probabilities = noisy_answer(torch.zeros(13, 17), 3)
    settings = CrfSettings(bilateral_weight=0, spatial_xy_std=2)
    rgb = random_rgb(13, 17)
    torch.testing.assert_close(
        refined(probabilities, rgb, settings), exact(probabilities, rgb, settings), atol=0.01, rtol=0
    )


def test_a_noisy_answer_snaps_to_the_edge_of_the_picture():
    edge = (torch.arange(60) + 8 * torch.sin(torch.arange(50)[:, None] / 8)) > 31  # (50, 60), a wave
    rgb = torch.where(edge, 180, 60).to(torch.uint8).expand(3, -1, -1).contiguous()
    probabilities = noisy_answer(edge, 2)
    assert (probabilities.argmax(0) == edge).float().mean() < 0.95
    assert (refined(probabilities, rgb).argmax(0) == edge).all()


@pytest.mark.parametrize("size_hw", [(1, 1), (1, 37), (41, 1), (2, 3), (33, 47)])
@pytest.mark.parametrize("classes", [1, 2, 7])
def test_any_size_gives_a_distribution_and_leaves_its_input_alone(size_hw: tuple[int, int], classes: int):
    probabilities = noisy_answer(torch.zeros(size_hw), classes)
    rgb = random_rgb(*size_hw)
    copies = probabilities.clone(), rgb.clone()
    answer = refined(probabilities, rgb)
    assert answer.shape == probabilities.shape
    assert answer.dtype == torch.float32
    assert (answer >= 0).all()
    torch.testing.assert_close(answer.sum(0), torch.ones(size_hw))
    assert torch.equal(probabilities, copies[0])
    assert torch.equal(rgb, copies[1])


def test_pixels_that_are_sure_stay_as_they_are():
    sure = torch.nn.functional.one_hot(torch.randint(0, 4, (20, 30)), 4).permute(2, 0, 1).float()
    torch.testing.assert_close(refined(sure, random_rgb(20, 30)), sure)


def test_classes_seen_nowhere_keep_their_share_and_change_no_label():
    rgb, labels = scene_window()
    tail = torch.full((30, *labels.shape), 0.001)
    probabilities = torch.cat([0.97 * noisy_answer(labels, 11), tail])
    answer = refined(probabilities, rgb)
    assert torch.equal(answer[11:], tail)
    torch.testing.assert_close(answer.sum(0), torch.ones(labels.shape))
    # The CRF with all pairs, which knows nothing of a threshold.
    assert (answer.argmax(0) == exact(probabilities, rgb, CrfSettings()).argmax(0)).float().mean() > 0.995


def test_a_picture_of_unnoticeable_classes_stays_as_it_is():
    even = torch.full((200, 5, 5), 1 / 200)
    assert torch.equal(refined(even, random_rgb(5, 5)), even)
    even[:, 2:] = 0
    even[0, 2:] = 1
    even[0, :2] = 0
    even[1:, :2] = 1 / 199
    torch.testing.assert_close(refined(even, random_rgb(5, 5)), even)


def test_bands_and_parts_of_any_size_give_the_same(monkeypatch: pytest.MonkeyPatch):
    rgb, labels = scene_window()
    probabilities = noisy_answer(labels, 11)
    expected = refined(probabilities, rgb)
    monkeypatch.setattr(dense_crf, "_BAND_BYTES_CPU", 1)  # a row at a time
    monkeypatch.setattr(permutohedral, "_POINTS_CPU", 100)
    torch.testing.assert_close(refined(probabilities, rgb), expected, atol=1e-5, rtol=0)


def test_the_same_input_gives_the_same_bits():
    rgb, labels = scene_window()
    probabilities = noisy_answer(labels, 11)
    assert torch.equal(refined(probabilities, rgb), refined(probabilities, rgb))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gives_what_the_cpu_gives():
    rgb, labels = scene_window()
    probabilities = noisy_answer(labels, 11)
    answer = refined(probabilities.cuda(), rgb.cuda()).cpu()
    torch.testing.assert_close(answer, refined(probabilities, rgb), atol=1e-3, rtol=0)


def test_a_picture_too_large_is_refused_before_any_work():
    size_hw = (9000, 9000)
    with pytest.raises(ModelError, match="9000×9000, more than 4.3 GB; choose a smaller picture"):
        refined(torch.ones(1).expand(1, *size_hw), torch.zeros(1, dtype=torch.uint8).expand(3, *size_hw))


@pytest.mark.parametrize(
    "wrong",
    [
        {"iterations": 0},
        {"bilateral_weight": -1},
        {"spatial_xy_std": 0},
        {"bilateral_rgb_std": math.nan},
        {"spatial_weight": math.inf},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_settings_without_sense_are_refused_in_words(wrong: dict[str, float]):
    with pytest.raises(ModelError, match="1 iteration or more"):
        CrfSettings(**wrong)


def test_deviations_too_small_to_number_the_cells_are_refused_in_words():
    settings = CrfSettings(bilateral_rgb_std=0.001, bilateral_xy_std=0.001)
    with pytest.raises(ModelError, match="choose larger ones"):
        refined(noisy_answer(torch.zeros(20, 20), 2), random_rgb(20, 20), settings)


def test_other_shapes_and_types_are_refused():
    with pytest.raises(ValueError, match="expected probabilities"):
        refined(torch.full((2, 4, 5), 0.5), random_rgb(5, 4))
    with pytest.raises(ValueError, match="expected probabilities"):
        refined(torch.full((2, 4, 5), 0.5, dtype=torch.float16), random_rgb(4, 5))
