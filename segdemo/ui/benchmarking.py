"""The Benchmark page's work: what is to be timed, the timing in a thread of its own, and the runs there are."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Final

import streamlit as st

from segdemo import benchmark, words
from segdemo.benchmark import Progress, Report
from segdemo.benchmark_case import Case
from segdemo.models import NO_EXTRAS, Way, weights
from segdemo.models.spec import ModelSpec
from segdemo.ui import cache, garbage, problems, state, text

_SIDES: Final = (256, 512, 1024)
_BATCHES: Final = (1, 4, 8)
_ROUNDS: Final = (6, 10, 20, 50)
_WAYS: Final[dict[Way, str]] = {
    "default": "As the app",
    "compile": "torch.compile",
    "channels-last": "Channels last",
    "contiguous": "Contiguous",
}
_STEP_S: Final = 0.5


@dataclass(frozen=True)
class Plan:
    """What is to be timed, as `benchmark.run` takes it."""

    cases: Sequence[Case]
    rounds: int
    memory: bool


@dataclass
class Timing:
    """A benchmark in a thread of its own; written there, read by the page. number: of the run in the store."""

    plan: Plan
    device: str
    progress: Progress | None = None
    problem: str | None = None
    number: int | None = None
    stopped: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        """Measure until the end, or until it is stopped: then nothing is kept."""
        try:
            for progress in benchmark.run(self.plan.cases, self.device, self.plan.rounds, memory=self.plan.memory):
                self.progress = progress
                if self.stopped.is_set():
                    break
                if progress.report is not None:
                    self.number = cache.results().keep_benchmark(progress.report.text())
        except Exception as error:  # noqa: BLE001 - told of on the page, the log has the trace
            self.problem = problems.sentence(error)
        self.ended.set()

    def describe(self) -> str:
        """ "Timing FCN starter: about 20 s left" """
        if self.progress is None:
            return "Starting"
        left_s = self.progress.left_s
        return self.progress.doing + (f": about {words.wait(left_s)} left" if left_s else "")

    def share(self) -> float:
        """In [0, 1]."""
        return self.progress.done / max(1, self.progress.total) if self.progress else 0.0


def run(specs: Sequence[ModelSpec]) -> None:
    """What to time and the button that starts it, or how far it is."""
    current: Timing | None = st.session_state.get(state.BENCHMARK)
    if current is not None:
        _watch(current)
        return
    plan = _plan(specs)
    label = f"Time {_counted(len(specs), 'model')}, {_counted(len(plan.cases), 'case')}"
    if st.button(label, type="primary", disabled=not plan.cases, icon=":material/timer:"):
        started = Timing(plan, state.device())
        st.session_state[state.BENCHMARK] = started
        threading.Thread(target=started.work, daemon=True).start()
        st.rerun()


def _plan(specs: Sequence[ModelSpec]) -> Plan:
    with st.container(horizontal=True, gap="medium"):
        sides = st.segmented_control(
            "Picture size",
            _SIDES,
            default=[512],
            selection_mode="multi",
            key=state.BENCHMARK_SIZES,
            format_func=lambda side: f"{side} × {side}",
            persist_state="session",
        )
        batches = st.segmented_control(
            "Pictures at once",
            _BATCHES,
            default=[1],
            selection_mode="multi",
            key=state.BENCHMARK_BATCHES,
            persist_state="session",
        )
        rounds = st.segmented_control(
            "Rounds",
            _ROUNDS,
            default=10,
            required=True,
            key=state.BENCHMARK_ROUNDS,
            persist_state="session",
            help="How often each case is timed. The models take turns, so that what else the machine does meets all "
            "alike. Fewer than 6 samples have no interval.",
        )
    ways, memory = _ways()
    precision = state.measuring_precision()
    absent = {spec.key for spec in specs if weights.state(spec) == "absent"}
    if absent:
        st.caption(
            "Models whose weights are not on this machine are timed without them: the same network with random numbers "
            "takes as long."
        )
    if any(state.extras(spec.task) for spec in specs):
        st.caption("The extras chosen in the sidebar are timed beside the plain run, so that each shows its cost.")
    cases = [
        Case(spec.key, (side, side), batch, precision, spec.key in absent, way, extras)
        for spec, side, batch, way in product(specs, sorted(sides), sorted(batches), ways)
        for extras in dict.fromkeys([NO_EXTRAS, state.extras(spec.task)])
    ]
    return Plan(cases, rounds or 10, memory)


def _ways() -> tuple[list[Way], bool]:
    """How the networks are run, and whether their memory is measured on a CPU."""
    with st.expander("How they are run"):
        ways = st.segmented_control(
            "Ways",
            list(_WAYS),
            default=["default"],
            selection_mode="multi",
            key=state.BENCHMARK_WAYS,
            format_func=_WAYS.__getitem__,
            persist_state="session",
            help="Several are timed in turns. Compiling takes up to minutes in the first call and needs a C++ compiler "
            "on a CPU. Channels last and contiguous are the two orders of numbers in memory.",
        )
        memory = st.toggle(
            "Memory on a CPU, too",
            key=state.BENCHMARK_MEMORY,
            persist_state="session",
            help="Each case is called once in a process of its own, which takes some seconds. On a GPU it is "
            "measured anyway.",
        )
    return [way for way in _WAYS if way in ways], memory


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}{'s' if count != 1 else ''}"


@st.fragment(run_every=_STEP_S)
def _watch(current: Timing) -> None:
    garbage.spare_libraries()  # the work may have imported them, and this runs twice a second
    if current.ended.is_set():
        st.session_state[state.BENCHMARK] = None
        st.session_state[state.BENCHMARK_PROBLEM] = current.problem
        if current.number is not None:
            st.session_state[state.BENCHMARK_SHOWN] = f"run {current.number}"
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(current.share(), current.describe())
        # Streamlit's own "Stop" is on the page, too, while it is drawn, and leaves half a page.
        if st.button("Stop timing", icon=":material/stop:", help="Nothing is kept of a benchmark that is stopped."):
            current.stopped.set()


def runs() -> dict[str, Report]:
    """The runs by a name for the state: one's own, the latest first, then segdemo's."""
    if problem := st.session_state.get(state.BENCHMARK_PROBLEM):
        st.error(text.plain(problem), icon=":material/error:")
    texts = {f"run {number}": record for number, record in cache.results().benchmarks().items()}
    texts |= {f"reference {name}": record for name, record in cache.reference_benchmarks().items()}
    found = {}
    for name, record in texts.items():
        with problems.shown():
            found[name] = cache.benchmark(record)
    return found


def name(key: str, report: Report) -> str:
    """A run for people: where and when it was measured."""
    kind = "comes with segdemo" if key.startswith("reference") else "yours"
    return f"{report.environment.device}, {report.started[:19].replace('T', ' ')} UTC ({kind})"
