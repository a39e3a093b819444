"""A benchmark on the page: bars, charts, tables, another run beside it, and files."""

from collections.abc import Mapping
from typing import Any, Final

import streamlit as st

from segdemo import benchmark_tables, charts, exports
from segdemo.benchmark import Report
from segdemo.benchmark_case import Case
from segdemo.extras import Extras
from segdemo.results import Run
from segdemo.ui import benchmarking, cache, text
from segdemo.ui.learn import links

_PLOT: Final = {"displayModeBar": False}


def times(report: Report) -> Case | None:
    """Bars by stage at one size, batch and precision; which one is shown, None where nothing was measured."""
    for one in report.measurements:
        if one.problem:
            st.error(f"{one.case.model}: {text.plain(one.problem)}", icon=":material/error:")
    settings = {benchmark_tables.setting(one.case): one.case for one in report.measurements if one.samples}
    if not settings:
        st.info("No case of this run could be measured.")
        return None
    chosen = next(iter(settings))
    if len(settings) > 1:
        chosen = st.selectbox("Shown", list(settings), label_visibility="collapsed") or chosen
    case = settings[chosen]
    where = f"{report.environment.device}, {report.environment.threads} threads, {chosen}"
    st.markdown(f"**{text.plain(where)}**")
    st.plotly_chart(charts.latency(benchmark_tables.stages(report, case)), config=_PLOT)
    st.caption(
        f"Milliseconds per picture of the median call of {report.rounds}, the models in turns, after "
        f"{report.warm_up} warm-up calls. On a CPU, transfer is a copy in memory."
    )
    links.show(links.PIXELS, "What happens in these stages")
    for sentence in dict.fromkeys(f"{one.case.model}: {one.findings}" for one in report.measurements if one.findings):
        st.caption(f"Fixed for {text.plain(sentence)}.")
    return case


def numbers(report: Report) -> None:
    """The table of all cases, and what they ran on."""
    st.subheader("Numbers", anchor=False)
    table = benchmark_tables.measurements(report)
    columns: dict[Any, Any] = {
        name: st.column_config.NumberColumn(format="%.1f") for name in table.select_dtypes("number") if name != "batch"
    }
    st.dataframe(table, hide_index=True, column_config=columns, placeholder="–", alt="The benchmark's numbers")
    st.caption(
        "The interval holds the median with 95 %; ranks are among models of one size, batch and precision, and there "
        "are none where intervals overlap. Memory: what one call takes beyond the weights, on a CPU in a process of "
        "its own. GMACs: multiply-accumulates of the forward pass, in thousand millions. Of matrix rate: how much of "
        "what this device does in a large matrix product the forward pass reaches; over 100 %, its convolutions are "
        "quicker than its matrix products."
    )
    where = report.environment
    versions = f"torch {where.torch}, torchvision {where.torchvision}, transformers {where.transformers}"
    clock = f", governor {where.governor}" if where.governor else ""
    st.caption(
        f"Measured on {text.plain(where.device)}, {where.threads} threads{text.plain(clock)}, {versions}, "
        f"Python {where.python}."
    )


def scaling(report: Report) -> None:
    """Throughput over the batch, and time over the size, where there are several of them."""
    table = benchmark_tables.measurements(report)
    table["megapixels"] = [_megapixels(size) for size in table["size"]]
    if table["batch"].nunique() > 1:
        st.subheader("Throughput", anchor=False)
        smallest = table[table["megapixels"] == table["megapixels"].min()]
        st.plotly_chart(charts.lines(smallest, "batch", "pictures per s"), config=_PLOT)
        st.caption(f"Pictures of {smallest['size'].iloc[0]} pixels.")
    if table["size"].nunique() > 1:
        st.subheader("Size", anchor=False)
        single = table[table["batch"] == table["batch"].min()]
        st.plotly_chart(charts.lines(single, "megapixels", "ms per picture"), config=_PLOT)
        st.caption(f"{single['batch'].iloc[0]} at once.")


def accuracy(report: Report, case: Case, evaluations: Mapping[str, Mapping[tuple[str, Extras], float]]) -> None:
    """Mean IoU over latency and memory. evaluations: by data set, mean IoU in [0, 1] by the model's key and extras."""
    tables = {name: benchmark_tables.accuracy(report, case, scores) for name, scores in evaluations.items()}
    tables = {name: table for name, table in tables.items() if len(table)}
    st.subheader("Accuracy", anchor=False)
    if not tables:
        st.info("Score these models on the Evaluate page, and their accuracy stands here beside their time.")
        return
    name = st.selectbox("Scored on", list(tables), format_func=text.plain) or next(iter(tables))
    table, (left, right) = tables[name], st.columns(2, gap="medium")
    left.plotly_chart(charts.accuracy(table, "ms per picture"), config=_PLOT)
    if table["memory MB"].notna().all():
        right.plotly_chart(charts.accuracy(table, "memory MB"), config=_PLOT)
    st.caption(
        "Mean IoU as the Evaluate page counts it, of the models that give all classes. Whoever is not on the dotted "
        "line is beaten: another model costs no more and is better."
    )


def beside(report: Report, others: Mapping[str, Report]) -> None:
    """Another run beside this one."""
    if not others:
        return
    st.subheader("Beside another run", anchor=False)
    key = st.selectbox("Another run", list(others), format_func=lambda key: benchmarking.name(key, others[key]))
    table = benchmark_tables.compared(report, others[key])
    if table.empty:
        st.info("The two runs have no case in common: the same model, size, batch and precision.")
        return
    times = ("this run ms", "other run ms")
    columns: dict[Any, Any] = {name: st.column_config.NumberColumn(format="%.1f") for name in times}
    columns["other / this"] = st.column_config.NumberColumn(format="%.2f")
    st.dataframe(table, hide_index=True, column_config=columns, alt="Two runs beside each other")


def published(report: Report) -> None:
    """What others have measured of these networks, where it is known."""
    table = benchmark_tables.published(report)
    if table.empty:
        return
    st.subheader("Published elsewhere", anchor=False)
    columns: dict[Any, Any] = {"source": st.column_config.LinkColumn(display_text="open")}
    st.dataframe(table, hide_index=True, column_config=columns, alt="Published speeds")
    st.caption("On other machines, by other rules: these say what to expect there, and nothing about this machine.")


def downloads(report: Report) -> None:
    """All samples as JSON, and the table as CSV."""
    stem = f"segdemo-benchmark-{report.started[:10]}"

    def csv() -> bytes:
        table = benchmark_tables.samples(report)
        return exports.csv_text(table.columns, table.itertuples(index=False)).encode("utf-8-sig")

    with st.container(horizontal=True):
        st.download_button("Download run (JSON)", report.text, f"{stem}.json", "application/json", on_click="ignore")
        st.download_button("Download samples (CSV)", csv, f"{stem}.csv", "text/csv", on_click="ignore")


def evaluations(report: Report) -> dict[str, dict[tuple[str, Extras], float]]:
    """By data set, the mean IoU of the latest finished run of each model in the report, with each of its extras."""
    timed = {one.case.model for one in report.measurements}
    latest: dict[tuple[str, str, Extras], Run] = {}
    for run in cache.results().runs():
        if run.finished and run.identity.model in timed:
            latest.setdefault((run.identity.dataset, run.identity.model, run.identity.extras), run)
    found: dict[str, dict[tuple[str, Extras], float]] = {}
    for (dataset, model, extras), run in latest.items():
        if (mean := _mean_iou(run)) is not None:
            found.setdefault(dataset, {})[model, extras] = mean
    return found


def _mean_iou(run: Run) -> float | None:
    """None for a model that does not give all classes: its mean is over fewer, and not to be compared."""
    scores = cache.run_scores(run.id, run)
    mean = scores.mean_iou("mmsegmentation")
    return mean.value if mean and not scores.unanswered else None


def _megapixels(size: str) -> float:
    width, height = map(int, size.split(" × "))
    return width * height / 1e6
