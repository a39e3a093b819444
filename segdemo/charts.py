"""Frames to plotly figures, in colours that are read on light and on dark pages."""

from textwrap import wrap

import numpy as np
import pandas as pd
import plotly.graph_objects as go

_LABEL = 22  # characters of a line beside a bar
_STAGES = {
    "transfer ms": "#b9b4a7",
    "preprocess ms": "#8fb8b2",
    "forward ms": "#1f8f86",
    "postprocess ms": "#d9a441",
}


def latency(times: pd.DataFrame) -> go.Figure:
    """Stacked bars of `tables.times_table`: one bar per model, one part per stage, the quickest model on top."""
    ordered = times.sort_values("total ms", ascending=False)
    ordered["model"] = ["<br>".join(wrap(title, _LABEL)) for title in ordered["model"]]  # for phones
    figure = go.Figure(
        [
            go.Bar(
                name=stage.removesuffix(" ms"),
                y=ordered["model"],
                x=ordered[stage],
                orientation="h",
                marker_color=color,
                hovertemplate="%{y}: %{x:.1f} ms " + stage.removesuffix(" ms") + "<extra></extra>",
            )
            for stage, color in _STAGES.items()
        ]
    )
    figure.add_scatter(
        y=ordered["model"],
        x=ordered["total ms"],
        text=[f" {total:,.0f} ms" for total in ordered["total ms"]],
        mode="text",
        textposition="middle right",
        cliponaxis=False,
        showlegend=False,
        hoverinfo="skip",
    )
    figure.update_layout(
        barmode="stack",
        bargap=0.35,
        height=110 + 46 * len(ordered),
        margin={"l": 0, "r": 60, "t": 10, "b": 80},
        legend={"orientation": "h", "yref": "container", "yanchor": "bottom", "y": 0, "x": 0, "traceorder": "normal"},
        xaxis={"ticksuffix": " ms", "tickformat": ",d", "nticks": 5, "rangemode": "tozero", "fixedrange": True},
        yaxis={"fixedrange": True, "automargin": True},
    )
    return figure


def accuracy(table: pd.DataFrame, cost: str) -> go.Figure:
    """`benchmark_tables.accuracy`: mean IoU over a cost, one of its columns; a line joins what none beats in both."""
    ordered = table.sort_values(cost)
    best = ordered[ordered["mean IoU %"] > ordered["mean IoU %"].cummax().shift(fill_value=-np.inf)]
    figure = go.Figure(
        [
            go.Scatter(
                x=best[cost],
                y=best["mean IoU %"],
                mode="lines",
                line={"shape": "hv", "dash": "dot", "color": "#8a9694"},
                hoverinfo="skip",
            ),
            go.Scatter(
                x=table[cost],
                y=table["mean IoU %"],
                text=table["model"],
                mode="markers+text",
                textposition=[("top center", "bottom center")[i % 2] for i in range(len(table))],
                cliponaxis=False,
                marker={"size": 11, "color": "#1f8f86"},
                hovertemplate=f"%{{text}}: %{{y:.1f}} % mean IoU, %{{x:.1f}} {cost}<extra></extra>",
            ),
        ]
    )
    figure.update_layout(
        height=340,
        showlegend=False,
        margin={"l": 0, "r": 40, "t": 24, "b": 0},
        xaxis={"title": cost, "rangemode": "tozero", "fixedrange": True},
        yaxis={"title": "mean IoU", "ticksuffix": " %", "fixedrange": True},
    )
    return figure


def lines(table: pd.DataFrame, x: str, y: str) -> go.Figure:
    """One line per model of a table over one of its columns."""
    figure = go.Figure(
        [
            go.Scatter(x=rows[x], y=rows[y], name=str(name), mode="lines+markers")
            for name, rows in table.sort_values(x).groupby("model", sort=False)
        ]
    )
    figure.update_layout(
        height=320,
        margin={"l": 0, "r": 0, "t": 8, "b": 0},
        legend={"orientation": "h", "y": -0.25},
        xaxis={"title": x, "rangemode": "tozero", "fixedrange": True},
        yaxis={"title": y, "rangemode": "tozero", "fixedrange": True},
    )
    return figure


def confusion(shares: pd.DataFrame, by: str, background: str) -> go.Figure:
    """`score_tables.confusion` as a map of cells: fuller where more pixels are.

    background: the page's colour, of empty cells; plotly writes on each cell in what can be read on its colour.

    The second trace has a point for each cell, row by row: a heat map's own cells cannot be chosen with a click.
    """
    heat = go.Heatmap(
        z=shares.to_numpy(),
        x=list(shares.columns),
        y=list(shares.index),
        colorscale=[[0, background], [1, "#1f8f86"]],
        zmin=0,
        zmax=100,
        showscale=False,
        texttemplate="%{z:.0f}" if shares.shape[0] <= 21 else None,
        hoverinfo="skip",
        xgap=1,
        ygap=1,
    )
    cells = go.Scatter(
        x=[column for _ in shares.index for column in shares.columns],
        y=[row for row in shares.index for _ in shares.columns],
        customdata=shares.to_numpy().ravel(),
        mode="markers",
        marker={"size": 26, "symbol": "square", "color": "rgba(0,0,0,0)"},
        unselected={"marker": {"opacity": 1}},
        hovertemplate=f"truth %{{y}}, prediction %{{x}}: %{{customdata:.1f}} % of the {by}<extra></extra>",
    )
    axis = {"fixedrange": True, "automargin": True, "showgrid": False}
    figure = go.Figure([heat, cells])
    figure.update_layout(
        height=max(320, 60 + 28 * len(shares)),
        showlegend=False,
        clickmode="event+select",
        dragmode=False,
        margin={"l": 0, "r": 0, "t": 8, "b": 0},
        xaxis={"title": "prediction", "side": "bottom", **axis},
        yaxis={"title": "truth", "autorange": "reversed", **axis},
    )
    return figure


def agreement(table: pd.DataFrame, background: str) -> go.Figure:
    """`tables.agreement_table` as a map of cells: fuller where two models agree more."""
    values = table.where(~np.eye(len(table), dtype=np.bool_))  # with itself each agrees
    figure = go.Figure(
        go.Heatmap(
            z=values.to_numpy(),
            x=list(table.columns),
            y=list(table.index),
            colorscale=[[0, background], [1, "#1f8f86"]],
            zmin=0,
            zmax=100,
            showscale=False,
            texttemplate="%{z:.0f}",
            hovertemplate="%{y} and %{x}: %{z:.1f} % mean IoU<extra></extra>",
            hoverongaps=False,
            xgap=1,
            ygap=1,
        )
    )
    axis = {"fixedrange": True, "automargin": True, "showgrid": False}
    figure.update_layout(
        height=110 + 44 * len(table),
        margin={"l": 0, "r": 0, "t": 8, "b": 0},
        xaxis=axis,
        yaxis={"autorange": "reversed", **axis},
    )
    return figure


def distribution(values: pd.DataFrame) -> go.Figure:
    """How many pictures reach which mean IoU; `values` as `score_tables.pictures`."""
    figure = go.Figure(
        go.Histogram(
            x=values["image mean IoU %"],
            xbins={"start": 0, "end": 100, "size": 5},
            marker_color="#1f8f86",
            hovertemplate="%{x} %: %{y} pictures<extra></extra>",
        )
    )
    figure.update_layout(
        height=220,
        bargap=0.08,
        margin={"l": 0, "r": 0, "t": 8, "b": 0},
        xaxis={"title": "image mean IoU", "range": [0, 100], "ticksuffix": " %", "fixedrange": True},
        yaxis={"title": "pictures", "fixedrange": True},
    )
    return figure


def reliability(confidence: list[float], accuracy: list[float], pixels: list[int]) -> go.Figure:
    """How often pixels are right, by how sure the model is of them; on the diagonal it is as sure as it is right."""
    largest = max(pixels, default=1) or 1
    figure = go.Figure(
        [
            go.Scatter(x=[0, 1], y=[0, 1], mode="lines", line={"dash": "dot", "color": "#8a9694"}, hoverinfo="skip"),
            go.Scatter(
                x=confidence,
                y=accuracy,
                mode="lines+markers",
                line={"color": "#1f8f86"},
                marker={"size": [6 + 16 * (n / largest) ** 0.5 for n in pixels]},
                customdata=pixels,
                hovertemplate="sure of %{x:.0%}, right in %{y:.0%}, %{customdata:,} pixels<extra></extra>",
            ),
        ]
    )
    axis = {"range": [0, 1.02], "tickformat": ".0%", "fixedrange": True}
    figure.update_layout(
        height=320,
        showlegend=False,
        margin={"l": 0, "r": 0, "t": 8, "b": 0},
        xaxis={"title": "confidence", **axis},
        yaxis={"title": "right", **axis},
    )
    return figure
