"""Frames to plotly figures, in colours that are read on light and on dark pages."""

import pandas as pd
import plotly.graph_objects as go

_STAGES = {"preprocess ms": "#8fb8b2", "forward ms": "#1f8f86", "postprocess ms": "#d9a441"}


def latency(times: pd.DataFrame, title: str) -> go.Figure:
    """Stacked bars of `tables.times_table`: one bar per model, one part per stage, the quickest model on top."""
    ordered = times.sort_values("total ms", ascending=False)
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
        text=[f" {total:.0f} ms" for total in ordered["total ms"]],
        mode="text",
        textposition="middle right",
        cliponaxis=False,
        showlegend=False,
        hoverinfo="skip",
    )
    figure.update_layout(
        title={"text": title, "font": {"size": 14}, "y": 0.97, "yanchor": "top"},
        barmode="stack",
        bargap=0.35,
        height=130 + 46 * len(ordered),
        margin={"l": 0, "r": 60, "t": 40, "b": 0},
        legend={"orientation": "h", "yanchor": "top", "y": -0.25, "x": 0, "traceorder": "normal"},
        xaxis={"ticksuffix": " ms", "tickformat": ",d", "nticks": 5, "rangemode": "tozero", "fixedrange": True},
        yaxis={"fixedrange": True, "automargin": True},
    )
    return figure
