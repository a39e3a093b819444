"""What a model is: paper, licence, and scores, measured here and published apart from each other."""

from collections.abc import Sequence
from typing import Final

import pandas as pd
import streamlit as st

from segdemo import words
from segdemo.models import weights
from segdemo.models.spec import TASKS, ModelSpec, Task
from segdemo.ui import cache, text
from segdemo.ui.learn import links

# A starter's scores that are told, by their names in its record.
_SCORES: Final = {
    "camvid_val_mean_iou": "mean IoU on CamVid val",
    "scenes_mask_ap50": "mask AP50 on generated scenes",
    "scenes_pq": "panoptic quality on generated scenes",
}
_TOLD: Final[dict[Task, tuple[str, ...]]] = {
    "semantic": ("camvid_val_mean_iou",),
    "instance": ("scenes_mask_ap50",),
    "panoptic": ("camvid_val_mean_iou", "scenes_pq"),
}


def show(spec: ModelSpec) -> None:
    """Everything about a model."""
    st.markdown(
        f"**{text.plain(spec.title)}** gives {TASKS[spec.task]}. It knows {text.knows(spec)}: "
        f"{text.plain(', '.join(spec.space.classes[:24]))}{' …' if len(spec.space.classes) > 24 else '.'}"
    )
    starter_note([spec])
    paper = f"[The paper ({spec.year})]({spec.paper}) · " if spec.paper else ""
    st.markdown(f"{paper}Licence: {text.plain(spec.licence)}")
    with st.container(horizontal=True):
        links.show(links.STORY, "How it came about")
        links.show(links.USES, "Where it is used")
    if spec.published:
        st.caption("Published by its authors or maintainers, not measured here")
        rows = [(f.metric, f.value, f.dataset, f.protocol, f.source) for f in spec.published]
        st.dataframe(
            pd.DataFrame(rows, columns=["metric", "value %", "data set", "protocol", "source"]), hide_index=True
        )


def starter_note(specs: Sequence[ModelSpec]) -> None:
    """What starters are and what they scored, where some are shown."""
    starters = [spec for spec in specs if spec.source == "starter"]
    if starters:
        scores = "; ".join(filter(None, map(_measured, starters)))
        st.caption(
            "Starters know 11 street classes. They are small networks trained from scratch on CamVid and on generated "
            "scenes, so that they come with segdemo; their scores are not those of the published architectures."
            + (f" Measured: {scores}." if scores else "")
        )


def _measured(spec: ModelSpec) -> str | None:
    """A starter's scores by the record next to its weights: "FCN starter 62.5 % mean IoU on CamVid val"."""
    record = cache.starter_record(str(weights.STARTERS / spec.checkpoint / "record.json"))
    if "scores" not in record:
        return None

    def told(*names: str) -> str:
        return " and ".join(f"{words.percent(record['scores'][name])} {_SCORES[name]}" for name in names)

    return f"{spec.title} {told(*_TOLD[spec.task])}"
