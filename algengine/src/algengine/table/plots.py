"""Plots of the table as SVG: what each recipe changes, with intervals."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from algengine.table.results import METRICS, Cell, Gain
from simengine.files.atomic import write_atomically


def write_plots(folder: Path, cells: Sequence[Cell], labels: Mapping[str, str]) -> list[Path]:
    """Write one plot per loop and return the paths; equal numbers give equal files."""
    return [_write(folder / f"{loop}_loop.svg", cells, labels, loop) for loop in ("open", "closed")]


def _write(path: Path, cells: Sequence[Cell], labels: Mapping[str, str], loop: str) -> Path:
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    metrics = [metric for metric in METRICS if metric.loop == loop]
    rows = [row for row in labels if any(c.row == row and c.gain is not None for c in cells)]
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "algengine", "svg.fonttype": "none"}):
        figure = Figure(figsize=(3.2 * len(metrics) + 2.5, 0.42 * len(rows) + 1.4), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
        for axis, metric in zip(axes, metrics, strict=True):
            gains = {c.row: c.gain for c in cells if c.metric == metric}
            for place, row in enumerate(rows):
                if gains[row].difference is not None:
                    _point(axis, place, gains[row])
            axis.axvline(0.0, color="0.6", linewidth=0.8)
            axis.set_title(metric.label.split(", ", 1)[1], fontsize=9)
            axis.set_xlabel("points against the base", fontsize=8)
            axis.tick_params(labelsize=8)
        axes[0].set_yticks(range(len(rows)), [labels[row] for row in rows], fontsize=8)
        axes[0].set_ylim(len(rows) - 0.5, -0.5)
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    write_atomically(path, buffer.getvalue())
    return path


def _point(axis: object, place: int, gain: Gain) -> None:
    color = {"better": "tab:green", "worse": "tab:red"}.get(gain.verdict, "0.4")
    if gain.low is not None and gain.high is not None:
        axis.plot([100 * gain.low, 100 * gain.high], [place, place], color=color, linewidth=2.0)
    axis.plot([100 * gain.difference], [place], "o", color=color, markersize=5)
