import numpy as np
import pytest

from segdemo.bit_masks import BitMask, BitMasks


@pytest.mark.parametrize("size_hw", [(1, 1), (3, 8), (5, 19), (0, 4), (4, 0)])
def test_a_mask_and_its_windows_come_back_as_they_were(size_hw):
    mask = np.random.default_rng(0).random(size_hw) < 0.5
    held = BitMask.of(mask)
    assert (held.whole() == mask).all()
    assert held.whole().dtype == bool
    for rows in (slice(0, size_hw[0]), slice(size_hw[0] // 2, size_hw[0])):
        for left in range(size_hw[1] + 1):
            columns = slice(left, min(left + 7, size_hw[1]))
            assert (held.window(rows, columns) == mask[rows, columns]).all()


def test_masks_are_a_sequence_of_arrays_an_eighth_as_large():
    masks = [np.ones((10, 80), bool), np.eye(7, dtype=bool)]
    held = BitMasks(map(BitMask.of, masks))
    assert len(held) == 2
    assert all((one == mask).all() for one, mask in zip(held, masks, strict=True))
    assert (held[1:][0] == masks[1]).all()
    assert BitMask.of(masks[0]).bits.nbytes == masks[0].nbytes / 8
