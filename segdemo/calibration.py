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
    claimed = (truth != VOID) & (prediction != VOID)
    # float16 has so few values that they are counted by their bits, which ascend with them from 0 to 1.
    bits = confidence[claimed].view(np.uint16)
    if bits.size and bits.max() >= _VALUES.size:
        raise ValueError(f"confidence must be in [0, 1], got {bits.max().view(np.float16)}")
    cases = np.bincount(bits, minlength=_VALUES.size)
    right = np.bincount(bits[(truth == prediction)[claimed]], minlength=_VALUES.size)
    return CalibrationBins(_by_bin(cases).astype(np.int64), _by_bin(cases * _VALUES), _by_bin(right).astype(np.int64))


# Every float16 from 0 to 1, and its bin.
_VALUES: Final = np.arange(np.float16(1).view(np.uint16) + 1, dtype=np.uint16).view(np.float16).astype(np.float64)
_BIN: Final = np.minimum(_VALUES * BINS, BINS - 1).astype(np.int64)


def _by_bin(of_values: np.ndarray) -> np.ndarray:
    return np.bincount(_BIN, of_values, minlength=BINS)
