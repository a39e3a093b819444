import pytest

from segdemo import words


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0.0042, "4.2 ms"), (0.083, "83 ms"), (1.236, "1.24 s"), (125, "2 min 5 s")]
)
def test_durations_are_read_easily(seconds, expected):
    assert words.duration(seconds) == expected


@pytest.mark.parametrize(("fraction", "expected"), [(0, "0.0 %"), (0.0004, "< 0.1 %"), (0.312, "31.2 %")])
def test_a_tiny_share_is_not_called_zero(fraction, expected):
    assert words.percent(fraction) == expected
