"""What may be done beyond one look at the whole picture: tiles, more views of each, and a refinement of the answer."""

from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

from segdemo.errors import ModelError

Tta = Literal["none", "flip", "scales"]
Refine = Literal["none", "crf"]

TTAS: Final[tuple[Tta, ...]] = get_args(Tta)
REFINES: Final[tuple[Refine, ...]] = get_args(Refine)
SMALLEST_TILE: Final = 64
LARGEST_TILE: Final = 16_384
LARGEST_WHOLE: Final = 50_000_000  # pixels of a picture that is not cut into tiles unless that is asked for
AUTOMATIC_TILE: Final = 2048  # of a picture with more

_TTA_WORDS: Final[dict[Tta, str]] = {"none": "", "flip": "flipped views", "scales": "views at three scales"}


@dataclass(frozen=True)
class Extras:
    """The extras of a run; without any it is one look at the whole picture.

    tile: the side of square tiles in pixels of the picture, a multiple of 32. A tile is brought to the network as large
        as a picture usually is, so that small things are seen larger (`models.assembling`). None: no tiles
        up to 50 megapixels, where a picture was always taken whole, and tiles of 2048 beyond.
    tta: test-time augmentation, the mean of the class probabilities of several views. "flip": the picture and its
        mirror image; "scales": the network's input at 0.75, 1 and 1.25 times its usual size.
    refine: "crf" lets a dense conditional random field move the borders of the classes to edges of the picture.
    Raises `ModelError` for what there is not.
    """

    tile: int | None = None
    tta: Tta = "none"
    refine: Refine = "none"

    def __post_init__(self) -> None:
        if self.tile is not None and (self.tile % 32 or not SMALLEST_TILE <= self.tile <= LARGEST_TILE):
            raise ModelError(
                f"Tiles cannot have {self.tile} pixels on a side; choose a multiple of 32 from {SMALLEST_TILE} to "
                f"{LARGEST_TILE}."
            )
        if self.tta not in TTAS:
            raise ModelError(f"There is no test-time augmentation {self.tta!r}; choose one of: {', '.join(TTAS)}.")
        if self.refine not in REFINES:
            raise ModelError(f"There is no refinement {self.refine!r}; choose one of: {', '.join(REFINES)}.")

    def __bool__(self) -> bool:
        """Whether there are any."""
        return self != Extras()

    def __str__(self) -> str:
        """Short and exact, for keys and tables: "tile 512, flip, crf"; "" where there are none."""
        parts = (f"tile {self.tile}" if self.tile else "none", self.tta, self.refine)
        return ", ".join(part for part in parts if part != "none")

    @property
    def words(self) -> str:
        """For people: "tiles of 512 pixels, flipped views and a dense CRF"; "" where there are none."""
        tiles = f"tiles of {self.tile} pixels" if self.tile else ""
        parts = [part for part in (tiles, _TTA_WORDS[self.tta], "a dense CRF" if self.refine == "crf" else "") if part]
        return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))

    def of_task(self, task: str) -> "Extras":
        """Those of them that a model of this task can have: views and the CRF work on class probabilities, which only
        semantic models give.
        """
        return self if task == "semantic" else Extras(self.tile)

    def check(self, model: str, task: str) -> None:
        """Raises `ModelError` where a model of this task cannot have all of them."""
        if self.of_task(task) != self:
            asked = " and ".join(str(part) for part in (Extras(tta=self.tta), Extras(refine=self.refine)) if part)
            raise ModelError(
                f"{model} gives {task} segments and no class probabilities, which {asked} would work on; leave that "
                "out, or choose a semantic model."
            )

    def on(self, size_hw: tuple[int, int]) -> "Extras":
        """As carried out on a picture of this size: tiles where it is very large, none where it fits into one."""
        height, width = size_hw
        tile = self.tile or (AUTOMATIC_TILE if height * width > LARGEST_WHOLE else None)
        return replace(self, tile=tile if tile and tile < max(size_hw) else None)
