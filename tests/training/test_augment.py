import torch

from segdemo.labels import VOID
from segdemo.training import augment
from segdemo.training.data import Pictures


def striped(n: int = 4, height: int = 60, width: int = 80) -> Pictures:
    """Pictures whose left half is dark and class 0, whose right half is bright, class 1 and instance 1."""
    right = torch.zeros(n, height, width, dtype=torch.uint8)
    right[..., width // 2 :] = 1
    rgb = (right * 200 + 20).unsqueeze(1).expand(-1, 3, -1, -1).contiguous()
    return Pictures(rgb, right, right)


def test_labels_and_instances_follow_the_picture_through_every_distortion():
    torch.manual_seed(0)
    pictures = striped(32)
    rgb, labels, instances = augment.batch(pictures, torch.arange(32), (48, 64), (0.8, 1.5))
    inside = labels != VOID
    assert inside.float().mean() > 0.7
    assert torch.equal((labels == 1) & inside, (instances == 1) & inside)
    grey = rgb.mean(1)
    for one, label in zip(grey, labels, strict=True):
        if (label == 0).sum() > 50 and (label == 1).sum() > 50:
            assert one[label == 1].mean() > one[label == 0].mean() + 0.5


def test_what_lies_outside_the_picture_is_void():
    torch.manual_seed(0)
    _, labels, _ = augment.batch(striped(), torch.arange(4), (48, 64), (0.3, 0.3))
    assert (labels == VOID).float().mean() > 0.5
    assert set(labels.unique().tolist()) <= {0, 1, VOID}


def test_void_in_the_labels_stays_void():
    pictures = striped()
    pictures.labels[:] = VOID
    _, labels, _ = augment.batch(pictures, torch.arange(4), (32, 32), (1.0, 1.2))
    assert (labels == VOID).all()


def test_the_same_seed_draws_the_same_batch():
    draws = []
    for _ in range(2):
        torch.manual_seed(7)
        draws.append(augment.batch(striped(), torch.arange(4), (32, 32), (0.6, 1.5)))
    assert all(torch.equal(a, b) for a, b in zip(*draws, strict=True))


def test_mixing_pastes_whole_classes_with_their_colours_and_instances():
    torch.manual_seed(0)
    n = 64
    labels = torch.zeros(n, 8, 8, dtype=torch.long)
    labels[:, :, 4:] = torch.arange(n).view(n, 1, 1) + 1  # the right half of each crop is a class of its own
    instances = (labels > 0).long()
    mixed_rgb, mixed, numbers = augment.mix(labels[:, None].float().expand(-1, 3, -1, -1), labels, instances, share=0.5)
    assert torch.equal(mixed_rgb, mixed[:, None].float().expand(-1, 3, -1, -1))
    assert torch.equal(mixed == 0, labels == 0)
    pasted = mixed[:, 0, 7] != labels[:, 0, 7]
    assert 0 < pasted.sum() < n / 2
    assert torch.equal(numbers[:, 0, 7] == 257, pasted)


def test_void_is_never_pasted():
    labels = torch.full((4, 8, 8), VOID)
    labels[0] = 3
    for seed in range(8):
        torch.manual_seed(seed)
        _, mixed, _ = augment.mix(torch.zeros(4, 3, 8, 8), labels, torch.zeros_like(labels), share=1.0)
        assert (mixed[0] == 3).all()
