"""One picture compared by several models, as one HTML file that needs neither network nor scripts.

The page is `report.html`. Names of pictures and classes come from strangers: the template escapes everything.
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from numbers import Integral, Real
from pathlib import Path
from typing import Final

import jinja2
import numpy as np
import pandas as pd

from segdemo import __version__, devices, images, overlay, tables, words
from segdemo.exports import Entry
from segdemo.labels import VOID
from segdemo.models.spec import TASKS
from segdemo.overlay import LegendRow

_UNIT: Final = re.compile(r" (?=(%|ms|px)$)")  # no unit on a line of its own
_ENVIRONMENT: Final = {
    "device": "Device",
    "threads": "CPU threads",
    "platform": "System",
    "python": "Python",
    "torch": "torch",
    "torchvision": "torchvision",
    "transformers": "transformers",
    "cuda": "CUDA",
    "driver": "NVIDIA driver",
}


@dataclass(frozen=True, eq=False)
class Table:
    """A table of the report.

    frame: units in column names, one or two levels of them; the index becomes row headers. NaN is shown as "–",
    floats with one decimal. note: what the numbers are.
    """

    title: str
    frame: pd.DataFrame
    note: str = ""


@dataclass(frozen=True)
class _Picture:
    """A JPEG as a data URI, and its size in pixels."""

    uri: str
    width: int
    height: int


@dataclass(frozen=True)
class _Answer:
    """One model's figure. drawn: the ids of the classes that the overlay colours."""

    title: str
    entry: Entry
    overlay: _Picture
    legend: list[LegendRow]
    drawn: frozenset[int]


def html(entries: Sequence[Entry], tables: Sequence[Table], made: datetime) -> str:
    """The report on one picture's answers: figures with legends, these tables, the models, how it was made.

    Pictures are at most `overlay.SCREEN_SIDE` pixels on a side. made: with its time zone; shown in UTC.
    Raises `ValueError` where the entries are not of one picture.
    """
    pictures = {(entry.image.name, entry.image.digest) for entry in entries}
    if len(pictures) != 1:
        raise ValueError(f"a report is on one picture, got answers on {len(pictures)}")
    image = entries[0].image
    return _TEMPLATES.get_template("report.html").render(
        image=image,
        name=images.shown(image.name),
        picture=_picture(overlay.fit(image.rgb, entries[0].prediction.labels, overlay.SCREEN_SIDE)[0]),
        answers=_answers(entries),
        tables=tables,
        environment=_environment(entries),
        made=made.astimezone(UTC),
        version=__version__,
        gives=TASKS,
    )


def _answers(entries: Sequence[Entry]) -> list[_Answer]:
    titles = tables.titles([entry.prediction.model for entry in entries])
    return [_answer(entry, title) for entry, title in zip(entries, titles, strict=True)]


def _answer(entry: Entry, title: str) -> _Answer:
    prediction, image = entry.prediction, entry.image
    look = entry.look or overlay.usual_look(prediction.space)
    return _Answer(
        title=title,
        entry=entry,
        overlay=_picture(overlay.draw_fitted(image.rgb, prediction, look, overlay.SCREEN_SIDE)),
        legend=overlay.legend(prediction, look.palette),
        drawn=look.visible - {VOID},
    )


def _picture(rgb: np.ndarray) -> _Picture:
    height, width, _ = rgb.shape
    data = base64.b64encode(overlay.encode_jpeg(rgb)).decode()
    return _Picture(f"data:image/jpeg;base64,{data}", width, height)


def _environment(entries: Sequence[Entry]) -> dict[str, str]:
    """What the models ran on, by name; what there is not is left out, what differs between devices is listed."""
    records = [devices.environment(device) for device in dict.fromkeys(entry.device for entry in entries)]
    values = {title: [getattr(record, field) for record in records] for field, title in _ENVIRONMENT.items()}
    known = {title: dict.fromkeys(str(v) for v in found if v is not None) for title, found in values.items()}
    return {title: ", ".join(found) for title, found in known.items() if found}


def _headings(columns: pd.Index) -> list[list[tuple[str, int]]]:
    """The header's rows of (text, columns below it); equal neighbours are one on all levels but the last."""
    *upper, last = (columns.get_level_values(level) for level in range(columns.nlevels))
    joined = [[(str(name), len(list(same))) for name, same in groupby(level)] for level in upper]
    return [*joined, [(_UNIT.sub("\N{NO-BREAK SPACE}", str(name)), 1) for name in last]]


def _numeric(frame: pd.DataFrame) -> list[bool]:
    """Which columns hold numbers."""
    return [pd.api.types.is_numeric_dtype(kind) for kind in frame.dtypes]


def _cell(value: object) -> str:
    if pd.isna(value):
        return "–"
    if isinstance(value, Integral):
        return f"{int(value):,}"
    return f"{float(value):z,.1f}" if isinstance(value, Real) else str(value)


_TEMPLATES: Final = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters |= {
    "headings": _headings,
    "numeric": _numeric,
    "cell": _cell,
    "percent": words.percent,
    "duration": words.duration,
}
