"""The Evaluate page's work: which labelled pictures, running the models over them, and the runs there are."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import streamlit as st

from segdemo import models, words
from segdemo.datasets import Dataset
from segdemo.evaluate import SCORE_THRESHOLD, EvaluationProgress, evaluate
from segdemo.extras import Extras
from segdemo.models.spec import ModelSpec
from segdemo.scoreboard import RunScores
from segdemo.ui import cache, garbage, problems, state, text

_COUNTS = (20, 60, 200)
_MOST_ZIP_MB = 2000
_MOST_LISTED = 100
_STEP_S = 0.5


@dataclass
class Evaluation:
    """Models running over a data set in a thread of their own; written there, read by the page."""

    specs: Sequence[ModelSpec]
    dataset: Dataset
    device: str
    precision: models.Precision
    extras: Extras
    model: str = ""
    progress: EvaluationProgress | None = None
    problems: list[str] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        """Run one model after the other; one that fails leaves the others to be run."""
        for spec in self.specs:
            self.model, self.progress = spec.title, None
            try:
                self._score(spec)
            except Exception as error:  # noqa: BLE001 - told of on the page, the log has the trace
                self.problems.append(f"{spec.title}: {problems.sentence(error)}")
            if self.stopped.is_set():
                break
        self.ended.set()

    def _score(self, spec: ModelSpec) -> None:
        model = models.load(spec.key, self.device, self.precision, score_threshold=SCORE_THRESHOLD)
        extras = self.extras.of_task(spec.task)
        for progress in evaluate(model, self.dataset, cache.results(), extras=extras):
            self.progress = progress
            if self.stopped.is_set():
                return

    def share(self) -> float:
        """Of the current model's pictures, in [0, 1]."""
        return self.progress.done / self.progress.pictures if self.progress else 0.0

    def describe(self) -> str:
        """ "DeepLabV3 starter: 12 of 60 pictures, about 20 s left, then 1 more model" """
        if self.progress is None:
            return f"{self.model}: loading the model"
        said = f"{self.model}: {self.progress.done} of {self.progress.pictures} pictures"
        if self.progress.left_s:
            said += f", about {words.wait(self.progress.left_s)} left"
        after = len(self.specs) - 1 - [spec.title for spec in self.specs].index(self.model)
        return said + (f", then {after} more model{'s' if after > 1 else ''}" if after else "")


def choose_dataset() -> Dataset | None:
    """Generated scenes or labelled pictures; None where there is nothing to score on yet."""
    kinds = {"Generated street scenes": _scenes, "Your labelled pictures": _upload}
    if cache.folder_of_datasets() is not None:
        kinds["On this machine"] = _from_disk
    first = next(iter(kinds))
    kind = st.segmented_control(
        "Pictures to score on",
        list(kinds),
        key=state.DATASET_KIND,
        default=first,
        required=True,
        persist_state="session",
    )
    dataset = None
    with problems.shown():
        dataset = kinds[kind or first]()
    if dataset is not None and dataset.skipped:
        with st.expander(f"{len(dataset.skipped):,} files are left out"):
            for one in dataset.skipped[:_MOST_LISTED]:
                st.caption(text.plain(f"{one.name} {one.reason}"))
    return dataset


def _scenes() -> Dataset:
    count = st.segmented_control(
        "How many scenes",
        _COUNTS,
        key=state.SCENE_COUNT,
        default=_COUNTS[0],
        required=True,
        persist_state="session",
    )
    return cache.scenes(count or _COUNTS[0])


def _upload() -> Dataset | None:
    file = st.file_uploader(
        "A zip archive of labelled pictures",
        type="zip",
        max_upload_size=_MOST_ZIP_MB,
        key=state.DATASET_FILE,
        help="Folders images/ and labels/ with a classes.json, or the layout of VOC, ADE20K, Cityscapes or COCO. It is "
        "read where segdemo runs, and never unpacked.",
    )
    if file is None:
        st.info("Upload a zip archive with pictures and their label images.", icon=":material/upload:")
        return None
    return cache.archive(file.file_id, file.name, file)


def _from_disk() -> Dataset | None:
    folder = cache.folder_of_datasets()
    found = sorted(p.name for p in folder.iterdir() if p.is_dir() or p.suffix == ".zip") if folder else []
    if folder is None or not found:
        st.info("The folder that SEGDEMO_DATASETS names is empty: put folders or zip archives with labels into it.")
        return None
    name = st.selectbox("Data set", found, key=state.DATASET_NAME, persist_state="session", format_func=text.short)
    return cache.on_disk(str(folder / name))


def run(specs: Sequence[ModelSpec], dataset: Dataset) -> None:
    """The button that starts the chosen models, and how far they are."""
    current: Evaluation | None = st.session_state.get(state.EVALUATION)
    if current is not None:
        _watch(current)
        return
    names = f"{len(specs)} model{'s' if len(specs) != 1 else ''}"
    pressed = st.button(
        f"Evaluate {names} on {len(dataset)} pictures",
        type="primary",
        disabled=not specs,
        icon=":material/play_arrow:",
        help="The models ticked in the sidebar. What has been scored already is not run again.",
    )
    if pressed:
        started = Evaluation(specs, dataset, state.device(), state.measuring_precision(), state.extras("semantic"))
        st.session_state[state.EVALUATION] = started
        threading.Thread(target=started.work, daemon=True).start()
        st.rerun()


@st.fragment(run_every=_STEP_S)
def _watch(current: Evaluation) -> None:
    garbage.spare_libraries()  # the work may have imported them, and this runs twice a second
    if current.ended.is_set():
        st.session_state[state.EVALUATION] = None
        st.session_state[state.EVALUATION_PROBLEMS] = current.problems
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(current.share(), current.describe())
        # Streamlit's own "Stop" is on the page, too, while it is drawn, and leaves half a page.
        if st.button(
            "Stop evaluating",
            icon=":material/stop:",
            help="What is scored is kept: starting again goes on from here.",
        ):
            current.stopped.set()


def choose_runs(dataset: Dataset) -> list[RunScores]:
    """The finished runs over the data set that the page shows: of each model the latest, unless the person chooses."""
    for sentence in st.session_state.get(state.EVALUATION_PROBLEMS, ()):
        st.error(text.plain(sentence), icon=":material/error:")
    digest = dataset.digest
    by_id = {run.id: run for run in cache.results().runs() if run.finished and run.identity.dataset_digest == digest}
    latest = list({run.identity.model: run.id for run in reversed(by_id.values())}.values())
    chosen = sorted(latest)
    if len(by_id) > 1:
        with st.expander(f"Runs to compare: {len(by_id)} are kept"):
            chosen = st.multiselect(
                "Runs to compare",
                list(by_id),
                default=chosen,
                key=f"runs:{digest}:{len(by_id)}",
                format_func=lambda number: cache.run_name(by_id[number]),
                label_visibility="collapsed",
            )
    gathered = []
    for number in chosen:
        with problems.shown():
            gathered.append(cache.run_scores(number, by_id[number]))
    return gathered
