"""What a model is: paper, licence, and scores, measured here and published apart from each other."""

from typing import Any, Final

import pandas as pd
import streamlit as st

from segdemo.models import weights
from segdemo.models.catalog import ModelSpec
from segdemo.ui import cache, text

_TASKS: Final = {
    "semantic": "a class for every pixel",
    "instance": "single objects with their outlines",
    "panoptic": "a class for every pixel and single objects",
}


def show(spec: ModelSpec) -> None:
    """Everything about a model."""
    st.markdown(
        f"**{spec.title}** gives {_TASKS[spec.task]}. It knows {text.knows(spec)}: "
        f"{text.plain(', '.join(spec.space.classes[:24]))}{' …' if len(spec.space.classes) > 24 else '.'}"
    )
    if spec.source == "starter":
        _starter(spec)
    st.markdown(f"[The paper ({spec.year})]({spec.paper}) · Licence: {text.plain(spec.licence)}")
    if spec.published:
        st.caption("Published by its authors or maintainers, not measured here")
        rows = [(f.metric, f.value, f.dataset, f.protocol, f.source) for f in spec.published]
        st.dataframe(
            pd.DataFrame(rows, columns=["metric", "value %", "data set", "protocol", "source"]), hide_index=True
        )


def _starter(spec: ModelSpec) -> None:
    score = record(spec).get("scores", {}).get("camvid_val_mean_iou")
    measured = f" Measured mean IoU on CamVid's validation split: {100 * score:.1f} %." if score else ""
    st.markdown(
        "It is a starter: a small network trained from scratch on CamVid and on generated street scenes, so that it "
        f"comes with segdemo and answers at once.{measured} That is not the score of the published architecture."
    )


def record(spec: ModelSpec) -> dict[str, Any]:
    """How a starter was trained and what it scored; empty where nothing is recorded."""
    return cache.starter_record(str(weights.STARTERS / spec.checkpoint / "record.json"))
