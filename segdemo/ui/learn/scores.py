"""Grids to paint on, and what every convention makes of them."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import streamlit as st

from segdemo import confusion, worked_example
from segdemo.confusion import CONVENTIONS, per_image_mean_iou
from segdemo.labels import VOID
from segdemo.models import catalog
from segdemo.ui import runs, state, text
from segdemo.ui.pictures import Picture
from segdemo.worked_example import EXAMPLES, SPACE, Grids, Verdict

_HERE: Final = Path(__file__).parent
_KEY: Final = "learn:painting"
_STARTER: Final = "starter/deeplabv3"
_MEANS: Final = 6  # of the verdicts are mean IoUs by the rule of one system or another

_component = st.components.v2.component(
    "segdemo_painting",
    html='<div class="painting"></div>',
    css=(_HERE / "painting.css").read_text(encoding="utf-8"),
    js=(_HERE / "painting.js").read_text(encoding="utf-8"),
)

Pairs = list[tuple[np.ndarray, np.ndarray]]  # truth and prediction of each picture, (H, W) uint8


def choose() -> Grids:
    """Which example is looked at."""
    titles = [example.title for example in EXAMPLES]
    title = st.pills(
        "Example", titles, default=titles[0], required=True, key=state.LEARN_EXAMPLE, persist_state="session",
        on_change=state.forget_painted, label_visibility="collapsed",
    )  # fmt: skip
    example = next((one for one in EXAMPLES if one.title == title), EXAMPLES[0])
    st.markdown(example.lesson)
    return example


def paint(example: Grids) -> tuple[Pairs, Pairs | None]:
    """The grids as the person left them, and as they were before the last stroke."""
    start = _pairs([{"truth": t, "prediction": p} for t, p in zip(example.truths, example.predictions, strict=True)])
    before, now = state.painted() or (None, start)
    classes = [
        {"name": name, "color": "#{:02x}{:02x}{:02x}".format(*color)}
        for name, color in zip(SPACE.classes, SPACE.colors, strict=True)
    ]
    pictures = [{"truth": t.tolist(), "prediction": p.tolist()} for t, p in now]
    _component(key=_KEY, data={"classes": classes, "pictures": pictures}, on_pictures_change=_moved, height="content")
    if before is not None:
        st.button("Start again", icon=":material/undo:", on_click=state.forget_painted)
    state.show_painted(now)
    return now, before


def show(now: Pairs, before: Pairs | None) -> None:
    """The IoU of each class, and a card for every score, with its change by the last stroke."""
    ious = worked_example.class_ious(*zip(*now, strict=True))
    named = [
        f"{text.swatch(color)} {name} **{_percent(iou)}**"
        for name, color, iou in zip(SPACE.classes, SPACE.colors, ious.tolist(), strict=True)
    ]
    st.markdown("IoU of each class: &ensp;" + " &ensp; ".join(named))
    verdicts = worked_example.judge(*zip(*now, strict=True))
    old = worked_example.judge(*zip(*before, strict=True)) if before else verdicts
    st.subheader("Mean IoU, by whose rule?", anchor=False)
    _cards(verdicts[:_MEANS], old[:_MEANS])
    st.subheader("Other questions, other scores", anchor=False)
    _cards(verdicts[_MEANS:], old[_MEANS:])


def on_picture(picture: Picture) -> None:
    """The same rules on a network's answer for a scene, whose labels are known."""
    st.subheader("The same rules on a picture", anchor=False)
    truth = picture.own_labels()
    if truth is None:
        st.info("Choose a sample scene in the sidebar: its labels are known, so that a network can be scored on it.")
        return
    spec, waiting = catalog.find(_STARTER), st.empty()
    [run] = runs.answers([spec], picture, lambda: [waiting])
    waiting.empty()
    if isinstance(run, runs.Failure):
        run.show()
        return
    counts = confusion.count(truth, run.prediction.labels, len(spec.space.classes))
    rows = []
    for convention, rule in CONVENTIONS.items():
        one = convention == "per_image"
        mean = per_image_mean_iou(counts.tally()[None]) if one else counts.mean_iou(convention)
        rows.append((rule.title, _percent(mean.value), str(mean.classes)))
    st.table(pd.DataFrame(rows, columns=["rule", "mean IoU", "over classes"]).set_index("rule"))
    missing = len(spec.space.classes) - np.count_nonzero(counts.support())
    st.caption(
        f"{spec.title} on {text.plain(picture.name)}, scored with the scene's own labels, in which {missing} of its "
        f"{len(spec.space.classes)} classes do not occur."
    )


def _cards(verdicts: list[Verdict], old: list[Verdict]) -> None:
    with st.grid(3, min_column_width=250):
        for verdict, before in zip(verdicts, old, strict=True):
            with st.container(border=True, gap="xsmall", height="stretch"):
                change = 100 * (verdict.value - before.value)
                over = "" if verdict.classes is None else f" Here over {verdict.classes} classes."
                st.metric(
                    verdict.name,
                    _percent(verdict.value),
                    f"{change:+.1f}" if abs(change) >= 0.05 else None,
                )
                st.caption(f"{verdict.rule}{over}")


def _percent(value: float) -> str:
    return "no score" if np.isnan(value) else f"{100 * value:.1f} %"


def _moved() -> None:
    """Take over what was painted, where it is what the page has sent, in other labels."""
    shown = state.shown_painting()
    pairs = _pairs(st.session_state[_KEY].get("pictures"))
    if shown and [p.shape for pair in pairs for p in pair] == [p.shape for pair in shown for p in pair]:
        state.keep_painted(shown, pairs)


def _pairs(pictures: Any) -> Pairs:
    """Grids from the browser, or of an example; empty where they hold anything but labels."""
    try:
        grids = [(np.array(one["truth"], np.uint8), np.array(one["prediction"], np.uint8)) for one in pictures]
    except (TypeError, ValueError, KeyError, OverflowError):
        return []
    known = [*range(len(SPACE.classes)), VOID]
    is_valid = all(g.ndim == 2 and np.isin(g, known).all() for pair in grids for g in pair)
    return grids if is_valid else []
