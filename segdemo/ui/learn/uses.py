"""Where segmentation is used: what fits in the catalogue, what is missing, and what to beware of."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import streamlit as st

from segdemo import words
from segdemo.models import catalog, weights
from segdemo.models.spec import ModelSpec
from segdemo.ui import runs, text, views
from segdemo.ui.pictures import Picture

STARTER: Final = "starter/segformer"
_SHOWN: Final = 6  # classes that are named with their share


@dataclass(frozen=True)
class Use:
    """A field of work.

    keys: of checkpoints that fit, the best first; those that the catalogue has not are passed over. fit: how well they
    do. classes: that matter here, by their names in any label space; empty for all. missing: what no checkpoint here
    can do. beware: some sentences.
    """

    name: str
    icon: str
    purpose: str
    keys: tuple[str, ...]
    fit: str
    classes: frozenset[str]
    missing: str
    beware: tuple[str, ...]


USES: Final[tuple[Use, ...]] = (
    Use(
        "Driving",
        ":material/directions_car:",
        "Where is the road, what stands on it, who is about to step onto it? Answers are due many times a second.",
        ("nvidia/segformer-b0-finetuned-cityscapes-1024-1024",),
        "Fits",
        frozenset({"road", "car", "truck", "bus", "train", "motorcycle", "bicycle", "person", "rider", "pedestrian",
                   "bicyclist", "traffic light", "traffic sign", "sign"}),
        "",
        (
            "Cityscapes shows cities in and around Germany by day and in fair weather. Night, snow and other "
            "countries' roads are other pictures.",
            "A mean over pixels hides the one child far away. Look at recall by size on the Evaluate page.",
            "Time of the slowest frame counts, not of the average one.",
        ),
    ),
    Use(
        "Medicine",
        ":material/ecg_heart:",
        "How large is the tumour, where does it end, has it grown? Outlines that took a specialist an hour.",
        ("mateuszbuda/brain-segmentation-pytorch",),
        "Fits",
        frozenset({"abnormal"}),
        "It knows gliomas in FLAIR slices of brain MRI, and nothing else: whatever it is shown, it answers with "
        "healthy or abnormal.",
        (
            "A network never says “none of these”: shown a scan, a street model finds streets in it. Upload one "
            "and look at the answer beside this.",
            "A scanner's values are not colours. They must be normalised as in training, often over the whole volume.",
            "Overlap forgives a small lesion that is missed. Count lesions, too. None of this is a medical device.",
        ),
    ),
    Use(
        "Farming",
        ":material/agriculture:",
        "Which plant is crop and which is weed, how much ground is covered, which leaf is sick?",
        ("nvidia/segformer-b0-finetuned-ade-512-512",),
        "Comes closest",
        frozenset({"tree", "grass", "field", "earth", "plant", "flower", "animal", "palm"}),
        "It knows tree, grass, field, earth and plant, but no crop from a weed and no sick leaf from a sound "
        "one. For that, train on labelled pictures of your own: python -m segdemo train.",
        (
            "A camera on a drone looks straight down. Data sets of streets and rooms never do.",
            "Seasons, soils and varieties change more from field to field than a random split of pictures shows: keep "
            "whole fields for testing.",
        ),
    ),
    Use(
        "Cities",
        ":material/location_city:",
        "How much green do people see, where are pavements missing, which signs and lamps stand where?",
        ("facebook/mask2former-swin-tiny-cityscapes-semantic",),
        "Fits",
        frozenset({"building", "vegetation", "tree", "terrain", "sidewalk", "pavement", "sky", "fence", "wall", "pole",
                   "traffic sign", "sign"}),
        "Nothing here was trained on pictures from the air.",
        (
            "A share of pixels is no share of ground: what is near looks large. Compare only pictures taken alike.",
            "People and number plates are in the pictures. Ask whether you may keep them.",
        ),
    ),
)  # fmt: skip


def show(use: Use, picture: Picture) -> None:
    """One use: words on the left, what its model makes of the picture on the right."""
    found = fitting(use)
    st.subheader(f"{use.icon} {use.name}", anchor=False)
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.markdown(use.purpose)
        if found is not None:
            _checkpoint(found, use)
        if use.missing:
            st.markdown(f"**What is missing.** {use.missing}")
        st.markdown("**Beware**\n\n" + "\n".join(f"- {sentence}" for sentence in use.beware))
    with right:
        _answer(use, found, picture)


def fitting(use: Use) -> ModelSpec | None:
    """The checkpoint of the catalogue that fits best, None where none does."""
    specs = {spec.key: spec for spec in catalog.CATALOG}
    return next((specs[key] for key in use.keys if key in specs), None)


def _runnable(found: ModelSpec | None) -> ModelSpec:
    """The fitting checkpoint where it is here already, else a starter: a page to read downloads nothing."""
    if found is not None and weights.state(found) != "absent":
        return found
    return catalog.find(STARTER)


def _checkpoint(spec: ModelSpec, use: Use) -> None:
    classes = spec.space.classes
    matter = [name for name in classes if name in use.classes]
    st.markdown(
        f"**{use.fit}:** {text.plain(spec.title)}, {text.cost(spec, weights.state(spec))}. [The paper]({spec.paper})"
    )
    labels = f"{text.plain(', '.join(matter))} among {text.knows(spec)}" if matter else text.knows(spec)
    st.caption(f"Labels: {labels}. Licence: {text.plain(spec.licence)}.")


def _answer(use: Use, found: ModelSpec | None, picture: Picture) -> None:
    spec = _runnable(found)
    waiting = st.empty()
    [run] = runs.answers([spec], picture, lambda: [waiting])
    if isinstance(run, runs.Failure):
        waiting.empty()
        run.show()
        return
    classes = run.prediction.space.classes
    drawn = [i for i, name in enumerate(classes) if not use.classes or name in use.classes]
    look = views.usual_looks([spec])[spec.key]
    views.preview(waiting, run, picture, replace(look, visible=look.visible & frozenset(drawn), opacity=0.6))
    shares = np.bincount(run.prediction.labels.ravel(), minlength=256) / run.prediction.labels.size
    _shares(drawn, shares, classes, look.palette)
    why = "" if spec == found else " for want of a fitting one" if found is None else ": the other is not here yet"
    st.caption(f"{text.plain(spec.title)} on this picture{why}.")


def _shares(drawn: Sequence[int], shares: np.ndarray, classes: Sequence[str], palette: np.ndarray) -> None:
    found = sorted((i for i in drawn if shares[i] > 0), key=lambda i: -shares[i])[:_SHOWN]
    named = [text.keyed(tuple(palette[i].tolist()), f"{classes[i]} {words.percent(float(shares[i]))}") for i in found]
    st.markdown("&ensp; ".join(named) if named else "Nothing of it is in this picture.")
