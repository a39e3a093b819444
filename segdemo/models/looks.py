"""How much of a picture in tiles a network sees at once."""

import math
from typing import Final

# Pixels of a network's input. What the largest published networks hold of so many fits into a few gigabytes.
MOST_SEEN: Final = 1_500_000


def largest_look(tile: int, input_hw: tuple[int, int]) -> int:
    """The side of the largest square whose input has no more pixels than `MOST_SEEN`; no less than the tile's.

    tile: the side of a tile in pixels of the picture. input_hw: the size of the network's input for one.
    """
    height, width = input_hw
    return max(tile, int(tile * math.sqrt(MOST_SEEN / (height * width))))
