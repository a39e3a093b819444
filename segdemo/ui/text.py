"""Words as the app writes them, the same on every page."""

import re
from typing import Final

from segdemo import words
from segdemo.models import catalog
from segdemo.models.spec import ModelSpec

_PUNCTUATION: Final = re.compile(r"([!-/;-@\[-`{-~])")
_LONGEST_NAME: Final = 48


def plain(text: str) -> str:
    """Text that came from a person (a file's name, an error that quotes it), safe inside a markdown label.

    Every markdown sign is escaped. Streamlit reads emoji codes and directives after unescaping, so a colon is parted
    from what follows it by a space without width.
    """
    flat = " ".join(text.split())
    return _PUNCTUATION.sub(r"\\\1", flat).replace(":", ":\u200b")


def short(name: str, longest: int = _LONGEST_NAME) -> str:
    """A file's name with its middle left out where it is too long; start and ending tell files apart."""
    if len(name) <= longest:
        return name
    tail = longest // 3
    return f"{name[: longest - tail - 1]}…{name[-tail:]}"


def cost(spec: ModelSpec, state: str) -> str:
    """What choosing a model costs; `state` as `models.weights.state` gives it."""
    if state == "absent":
        return f"{words.size(spec.download_bytes)} to download" if spec.download_bytes else "missing from this copy"
    return "in your folder" if state == "local" else state


def within_family(spec: ModelSpec) -> str:
    """A model's title where its family stands above it: "B0 ADE20K"."""
    if not catalog.in_catalog(spec):
        return plain(spec.title)
    rest = spec.title.removeprefix(spec.family).strip(" -") or spec.title
    return rest[0].upper() + rest[1:]


def knows(spec: ModelSpec) -> str:
    """Which classes a model knows: "11 classes (CamVid-11)"."""
    return f"{len(spec.space.classes)} classes ({plain(spec.space.name)})"


def keyed(color: tuple[int, int, int], name: str) -> str:
    """A name behind a small square of its colour, as markdown that is not broken between lines."""
    square = swatch(color).rstrip().replace("\u2002\u200a", "\u2007\u2007")  # a space that no line breaks at
    return f"{square}\u00a0{plain(name)}".replace(" ", "\u00a0")


def swatch(color: tuple[int, int, int]) -> str:
    """A small square of a colour, as markdown."""
    return ':color[\u2002\u200a]{{background="#{:02x}{:02x}{:02x}"}} '.format(*color)
