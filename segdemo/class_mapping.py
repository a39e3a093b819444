"""Scores between label sets that name the world differently: which classes of one are which classes of the other.

    common = mapping(CITYSCAPES, CAMVID)  # the truth's classes, the model's classes
    count(common.truth(labels), common.prediction(answer), len(common.space.classes))

Scores are over the classes that both sides know. Labelled pixels of other classes are not scored, and `Coverage` says
how many remain. Whatever is predicted on the others does not count, so a score of small coverage flatters. On a scored
pixel, a class that the truth does not know is wrong.

Classes are compared through the concepts that they hold, `_CONCEPTS`. Where one side divides what the other does not,
the parts are merged: Cityscapes' rider, bicycle and motorcycle against CamVid's bicyclist.

Sources: the data sets' own rules (Cityscapes' class definitions, the VOC 2012 annotation guidelines, COCO's list of
merged classes) and the taxonomy of MSeg, which looked at pictures to align them (Lambert et al., CVPR 2020,
https://github.com/mseg-dataset). CamVid-11 has no rules in print: its column follows what the labels of the SegNet
version show, where car holds vans and buses, building walls, fence railings, sign shop signs, and tree grass.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from segdemo.errors import SegdemoError
from segdemo.labels import ADE20K, CAMVID, CITYSCAPES, COCO_PANOPTIC, COCO_THINGS, VOC, VOID, LabelSpace

# Concept: its class in VOC-21, COCO-133 (and COCO-80, if that has it), ADE20K-150, Cityscapes-19 and CamVid-11.
# In parentheses: only a lesser part of that class, which the other side need not know. VOC has no trucks, and still its
# cars are compared with CamVid's, which hold a few. ADE20K's signboard is mostly not traffic signs, and is not compared
# with Cityscapes' traffic sign.
# fmt: off
_CONCEPTS: Final[dict[str, tuple[str, str, str, str, str]]] = {
    # ground
    "road": ("", "road", "road", "road", "road"),
    "pavement": ("", "pavement-merged", "sidewalk", "sidewalk", "pavement"),
    "grass": ("", "grass-merged", "grass", "terrain", "(tree)"),
    "field": ("", "(grass-merged)", "field", "(terrain)", ""),
    "earth": ("", "dirt-merged", "earth", "(terrain)", ""),
    "land": ("", "(dirt-merged)", "land", "(terrain)", ""),
    "dirt track": ("", "(dirt-merged)", "dirt track", "(terrain)", ""),
    "sand": ("", "sand", "sand", "(terrain)", ""),
    # nature
    "sky": ("", "sky-other-merged", "sky", "sky", "sky"),
    "tree": ("", "tree-merged", "tree", "vegetation", "tree"),
    "palm": ("", "(tree-merged)", "palm", "(vegetation)", "(tree)"),
    "bush": ("", "(tree-merged)", "plant", "(vegetation)", "(tree)"),
    "potted plant": ("pottedplant", "potted plant", "(plant)", "", ""),
    "flower": ("", "flower", "flower", "", ""),
    "mountain": ("", "mountain-merged", "mountain", "", ""),
    "hill": ("", "(mountain-merged)", "hill", "", ""),
    "rock": ("", "rock-merged", "rock", "", ""),
    "sea": ("", "sea", "sea", "", ""),
    "river": ("", "river", "river", "", ""),
    "lake": ("", "(river)", "lake", "", ""),
    "other water": ("", "water-other", "water", "", ""),
    # structures
    "building": ("", "building-other-merged", "building", "building", "building"),
    "house": ("", "house", "house", "(building)", "(building)"),
    "skyscraper": ("", "(building-other-merged)", "skyscraper", "(building)", "(building)"),
    "tower": ("", "(building-other-merged)", "tower", "(building)", "(building)"),
    "hovel": ("", "(building-other-merged)", "hovel", "(building)", "(building)"),
    "roof": ("", "roof", "(building)", "(building)", "(building)"),
    "window": ("", "window-other", "windowpane", "(building)", "(building)"),
    "door": ("", "door-stuff", "door", "(building)", "(building)"),
    "screen door": ("", "(door-stuff)", "screen door", "(building)", "(building)"),
    "wall": ("", "wall-other-merged", "wall", "wall", "(building)"),
    "brick wall": ("", "wall-brick", "(wall)", "(wall)", "(building)"),
    "stone wall": ("", "wall-stone", "(wall)", "(wall)", "(building)"),
    "tiled wall": ("", "wall-tile", "(wall)", "(wall)", "(building)"),
    "wooden wall": ("", "wall-wood", "(wall)", "(wall)", "(building)"),
    "fence": ("", "fence-merged", "fence", "fence", "fence"),
    "railing": ("", "(fence-merged)", "railing", "(fence)", "(fence)"),
    "bridge": ("", "bridge", "bridge", "", ""),
    "stairs": ("", "stairs", "stairs", "", ""),
    "stairway": ("", "(stairs)", "stairway", "", ""),
    "tent": ("", "tent", "tent", "", ""),
    # roadside
    "pole": ("", "", "pole", "pole", "pole"),
    "street lamp": ("", "(light)", "streetlight", "(pole)", "(pole)"),
    "traffic sign": ("", "", "(signboard)", "traffic sign", "sign"),
    "shop sign": ("", "", "signboard", "", "(sign)"),
    "traffic light": ("", "traffic light", "traffic light", "traffic light", "(sign)"),
    "bench": ("", "bench", "bench", "", ""),
    # people and vehicles
    "pedestrian": ("person", "person", "person", "person", "pedestrian"),
    "rider": ("(person)", "(person)", "(person)", "rider", "bicyclist"),
    "bicycle": ("bicycle", "bicycle", "bicycle", "bicycle", "bicyclist"),
    "motorcycle": ("motorbike", "motorcycle", "minibike", "motorcycle", "(bicyclist)"),
    "car": ("car", "car", "car", "car", "car"),
    "van": ("(car)", "(car)", "van", "(car)", "(car)"),
    "truck": ("", "truck", "truck", "truck", "(car)"),
    "bus": ("bus", "bus", "bus", "bus", "(car)"),
    "train": ("train", "train", "", "train", ""),
    "aeroplane": ("aeroplane", "airplane", "airplane", "", ""),
    "boat": ("boat", "boat", "boat", "", ""),
    "ship": ("(boat)", "(boat)", "ship", "", ""),
    # animals
    "bird": ("bird", "bird", "animal", "", ""),
    "cat": ("cat", "cat", "animal", "", ""),
    "dog": ("dog", "dog", "animal", "", ""),
    "horse": ("horse", "horse", "animal", "", ""),
    "sheep": ("sheep", "sheep", "animal", "", ""),
    "cow": ("cow", "cow", "animal", "", ""),
    "elephant": ("", "elephant", "(animal)", "", ""),
    "bear": ("", "bear", "(animal)", "", ""),
    "zebra": ("", "zebra", "(animal)", "", ""),
    "giraffe": ("", "giraffe", "(animal)", "", ""),
    # indoors
    "chair": ("chair", "chair", "chair", "", ""),
    "armchair": ("(chair)", "(chair)", "armchair", "", ""),
    "swivel chair": ("(chair)", "(chair)", "swivel chair", "", ""),
    "sofa": ("sofa", "couch", "sofa", "", ""),
    "dining table": ("diningtable", "dining table", "table", "", ""),
    "other table": ("", "table-merged", "table", "", ""),
    "coffee table": ("", "(table-merged)", "coffee table", "", ""),
    "desk": ("", "(table-merged)", "desk", "", ""),
    "bottle": ("bottle", "bottle", "bottle", "", ""),
    "television": ("tvmonitor", "tv", "television receiver", "", ""),
    "monitor": ("(tvmonitor)", "(tv)", "monitor", "", ""),
    "tube screen": ("(tvmonitor)", "(tv)", "crt screen", "", ""),
    "bed": ("", "bed", "bed", "", ""),
    "toilet": ("", "toilet", "toilet", "", ""),
    "sink": ("", "sink", "sink", "", ""),
    "refrigerator": ("", "refrigerator", "refrigerator", "", ""),
    "microwave": ("", "microwave", "microwave", "", ""),
    "oven": ("", "oven", "oven", "", ""),
    "stove": ("", "(oven)", "stove", "", ""),
    "book": ("", "book", "book", "", ""),
    "clock": ("", "clock", "clock", "", ""),
    "vase": ("", "vase", "vase", "", ""),
    "floor": ("", "floor-other-merged", "floor", "", ""),
    "wooden floor": ("", "floor-wood", "(floor)", "", ""),
    "ceiling": ("", "ceiling-merged", "ceiling", "", ""),
    "rug": ("", "rug-merged", "rug", "", ""),
    "curtain": ("", "curtain", "curtain", "", ""),
    "blind": ("", "window-blind", "blind", "", ""),
    "mirror": ("", "mirror-stuff", "mirror", "", ""),
    "ceiling light": ("", "light", "light", "", ""),
    "lamp": ("", "light", "lamp", "", ""),
    "chandelier": ("", "(light)", "chandelier", "", ""),
    "sconce": ("", "(light)", "sconce", "", ""),
    "pillow": ("", "pillow", "pillow", "", ""),
    "cushion": ("", "(pillow)", "cushion", "", ""),
    "blanket": ("", "blanket", "blanket", "", ""),
    "towel": ("", "towel", "towel", "", ""),
    "shelf": ("", "shelf", "shelf", "", ""),
    "cabinet": ("", "cabinet-merged", "cabinet", "", ""),
    "counter": ("", "counter", "counter", "", ""),
    "countertop": ("", "(counter)", "countertop", "", ""),
    "kitchen island": ("", "(counter)", "kitchen island", "", ""),
}
# fmt: on

_COLUMNS: Final = {
    VOC.classes: 0,
    COCO_PANOPTIC.classes: 1,
    COCO_THINGS.classes: 1,
    ADE20K.classes: 2,
    CITYSCAPES.classes: 3,
    CAMVID.classes: 4,
}


@dataclass(frozen=True)
class Coverage:
    """Pixels whose class both sides know, of those that are labelled; of one picture or of many."""

    covered: int
    labelled: int

    def __add__(self, other: "Coverage") -> "Coverage":
        return Coverage(self.covered + other.covered, self.labelled + other.labelled)

    def share(self) -> float:
        """In [0, 1]; NaN where nothing is labelled."""
        return self.covered / self.labelled if self.labelled else float("nan")


@dataclass(frozen=True, eq=False)
class ClassMapping:
    """Two label sets in the classes that both know.

    space: those classes, in the order and the colours of the truth.
    truth_ids, prediction_ids: (256,) uint8, the id in `space` of every id; `VOID` for `VOID` and what is not covered.
    truth_only, prediction_only: the ids of the classes that are not covered, in their own label sets.
    """

    space: LabelSpace
    truth_ids: np.ndarray
    prediction_ids: np.ndarray
    truth_only: frozenset[int]
    prediction_only: frozenset[int]

    def truth(self, labels: np.ndarray) -> np.ndarray:
        """A true label map, (H, W) uint8, in `space`; what is not covered becomes `VOID`: not scored."""
        return _mapped(self.truth_ids, labels)

    def prediction(self, labels: np.ndarray) -> np.ndarray:
        """A predicted label map, (H, W) uint8, in `space`; what is not covered becomes `VOID`: a miss."""
        return _mapped(self.prediction_ids, labels)

    def coverage(self, labels: np.ndarray) -> Coverage:
        """How much of a true label map is scored, given in the truth's own ids."""
        covered, labelled = (int(np.count_nonzero(ids != VOID)) for ids in (self.truth(labels), labels))
        return Coverage(covered, labelled)


def mapping(truth: LabelSpace, prediction: LabelSpace) -> ClassMapping:
    """How labels of the space `truth` and predictions in the space `prediction` meet.

    Equal classes are mapped to themselves. Different sets of the table are compared by their concepts. Sets that it
    does not know, and COCO's two sets, are compared by name. Raises `SegdemoError` where no class is left.
    """
    if truth.classes == prediction.classes:
        return ClassMapping(truth, _SAME, _SAME, frozenset(), frozenset())
    groups = _groups(_holdings(truth, prediction), _holdings(prediction, truth))
    if not groups:
        raise SegdemoError(
            f"{truth.name} and {prediction.name} have no class in common; choose a model that knows the labels."
        )
    of_truth, of_prediction = zip(*groups, strict=True)
    first = [min(ids) for ids in of_truth]
    space = LabelSpace(
        name=f"{truth.name} and {prediction.name}",
        classes=tuple(_name(group, truth, prediction) for group in groups),
        colors=tuple(truth.colors[i] for i in first),
        things=frozenset(n for n, ids in enumerate(of_truth) if ids <= truth.things),
        background=first.index(truth.background) if truth.background in first else None,
    )
    truth_ids, truth_only = _table(of_truth, truth)
    prediction_ids, prediction_only = _table(of_prediction, prediction)
    return ClassMapping(space, truth_ids, prediction_ids, truth_only, prediction_only)


_SAME: Final = np.arange(VOID + 1, dtype=np.uint8)


def _mapped(table: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return labels if table is _SAME else np.take(table, labels)


class _Holding(NamedTuple):
    """The concepts that one class holds: all of them, and those that it mostly is."""

    all: frozenset[str]
    main: frozenset[str]


_Ids = frozenset[int]


def _holdings(space: LabelSpace, other: LabelSpace) -> list[_Holding]:
    """What each class of `space` holds, for a comparison with `other`."""
    column, others = _COLUMNS.get(space.classes), _COLUMNS.get(other.classes)
    if column is None or others is None or column == others:
        return [_Holding(frozenset({name}), frozenset({name})) for name in space.classes]
    rows = [(concept, names[column]) for concept, names in _CONCEPTS.items()]
    return [
        _Holding(
            frozenset(concept for concept, cell in rows if cell.strip("()") == name),
            frozenset(concept for concept, cell in rows if cell == name),
        )
        for name in space.classes
    ]


def _groups(truth: list[_Holding], prediction: list[_Holding]) -> list[tuple[_Ids, _Ids]]:
    """Classes that share concepts, directly or in a chain: ids of the truth and ids of the prediction."""
    true_ids, predicted_ids = _covered(truth, prediction)
    groups: list[tuple[_Ids, _Ids]] = []
    for i in true_ids:
        partners = frozenset(j for j in predicted_ids if truth[i].all & prediction[j].all)
        chained = [group for group in groups if group[1] & partners]
        groups = [group for group in groups if group not in chained]
        groups.append((frozenset({i}).union(*(g[0] for g in chained)), partners.union(*(g[1] for g in chained))))
    return sorted(groups, key=lambda group: min(group[0]))


def _covered(truth: list[_Holding], prediction: list[_Holding]) -> tuple[list[int], list[int]]:
    """The ids of both sides whose main concepts the other side holds, in classes that are covered themselves."""
    kept = list(range(len(truth))), list(range(len(prediction)))
    while True:
        in_truth = frozenset().union(*(truth[i].all for i in kept[0]))
        in_prediction = frozenset().union(*(prediction[j].all for j in kept[1]))
        fewer = (
            [i for i in kept[0] if truth[i].main and truth[i].main <= in_prediction],
            [j for j in kept[1] if prediction[j].main and prediction[j].main <= in_truth],
        )
        if fewer == kept:
            return kept
        kept = fewer


def _name(group: tuple[_Ids, _Ids], truth: LabelSpace, prediction: LabelSpace) -> str:
    """In the words of the side that divides less, of the truth where both divide alike."""
    (ids, space), _ = sorted(zip(group, (truth, prediction), strict=True), key=lambda side: len(side[0]))
    return " + ".join(space.classes[i] for i in sorted(ids))


def _table(groups: Iterable[_Ids], space: LabelSpace) -> tuple[np.ndarray, _Ids]:
    """(256,) uint8: the number of the group that each id is in, and the ids that are in none."""
    table = np.arange(VOID + 1, dtype=np.uint8)  # ids that are no class stay what they are, for `count` to refuse
    table[: len(space.classes)] = VOID
    for n, ids in enumerate(groups):
        table[list(ids)] = n
    return table, frozenset(np.flatnonzero(table[: len(space.classes)] == VOID).tolist())
