"""Is a model as often right as it is sure? Reliability bins and the expected calibration error.

Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", ICML 2017,
https://arxiv.org/abs/1706.04599; each labelled pixel is one case.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from segdemo.labels import VOID

BINS: Final = 15


@dataclass(frozen=True, eq=False)
class CalibrationBins:
    """Pixels by confidence, in `BINS` bins of equal width from 0 to 1, of one picture or of many.

    pixels, right: (BINS,) int64. confidence_sum: (BINS,) float64, exact up to half a billion pixels a bin.
    Bin i holds i / BINS <= confidence < (i + 1) / BINS; the last one holds 1 too.
    """

    pixels: np.ndarray
    confidence_sum: np.ndarray
    right: np.ndarray

    def __add__(self, other: "CalibrationBins") -> "CalibrationBins":
        return CalibrationBins(
            self.pixels + other.pixels, self.confidence_sum + other.confidence_sum, self.right + other.right
        )

    def confidence(self) -> np.ndarray:
        """(BINS,) float64: the mean confidence of each bin, NaN where it is empty."""
        return self._per_pixel(self.confidence_sum)

    def accuracy(self) -> np.ndarray:
        """(BINS,) float64: the share of each bin's pixels that are right, NaN where it is empty."""
        return self._per_pixel(self.right)

    def expected_calibration_error(self) -> float:
        """The mean distance of confidence and accuracy over the bins, weighed by their pixels; NaN without pixels."""
        return float(np.abs(self.right - self.confidence_sum).sum() / (self.pixels.sum() or np.nan))

    def _per_pixel(self, values: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return values / self.pixels


def count_confidence(truth: np.ndarray, prediction: np.ndarray, confidence: np.ndarray) -> CalibrationBins:
    """Sort the pixels of one picture into bins.

    truth, prediction: (H, W) uint8. confidence: (H, W) float16 in [0, 1], the probability of the predicted class.
    Left out are pixels whose truth is `VOID`, and those predicted `VOID`, where no class was claimed. Raises
    `ValueError` where a confidence is not in [0, 1].
    """
    if not truth.shape == prediction.shape == confidence.shape or confidence.dtype != np.float16:
        raise ValueError(
            "truth, prediction and confidence must have one shape, confidence in float16, "
            f"got {truth.shape}, {prediction.shape} and {confidence.dtype} {confidence.shape}"
        )
    # float16 has so few values that they are counted by their bits, which ascend with them from 0 to 1.
    unclaimed = ((truth == VOID) | (prediction == VOID)) * np.uint16(_UNCLAIMED)
    bits = confidence.view(np.uint16)
    largest = (bits & ~unclaimed).max(initial=0)
    if largest >= _VALUES.size:
        raise ValueError(f"confidence must be in [0, 1], got {largest.view(np.float16)}")
    bits = bits | (truth == prediction) * np.uint16(_RIGHT) | unclaimed
    table = np.bincount(bits.ravel(), minlength=_UNCLAIMED)
    wrong, right = (table[start : start + _VALUES.size] for start in (0, _RIGHT))
    cases = wrong + right
    return CalibrationBins(_by_bin(cases), _by_bin(cases * _VALUES), _by_bin(right))


# Every float16 from 0 to 1, and where the values of each bin begin.
_VALUES: Final = np.arange(np.float16(1).view(np.uint16) + 1, dtype=np.uint16).view(np.float16).astype(np.float64)
_BIN_STARTS: Final = np.searchsorted(_VALUES * BINS, np.arange(BINS))
_RIGHT: Final = 1 << 14  # a bit that no float16 from 0 to 1 has
_UNCLAIMED: Final = (1 << 16) - 1


def _by_bin(of_values: np.ndarray) -> np.ndarray:
    return np.add.reduceat(of_values, _BIN_STARTS)
