"""The table of the perception stage."""

from __future__ import annotations

import math
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from algengine.evaluation.detection import ERRORS, ClassResult
from algengine.evaluation.tracking import METRICS

_WIDTH = 120


def render_perception(
    figures: Mapping[str, float],
    detected: Mapping[str, ClassResult],
    tracked: Mapping[str, Mapping[str, float]],
) -> str:
    """Return figures by class and in total as text; a dash stands for what does not exist.

    Args:
        figures: in total.
        detected: detection by class.
        tracked: tracking by class.
    """
    console = Console(width=_WIDTH, no_color=True)
    with console.capture() as capture:
        if detected:
            console.print(_classes(detected, tracked))
        console.print("  ".join(f"{name} {_text(value)}" for name, value in figures.items()))
    return "\n" + capture.get()


def _classes(detected: Mapping[str, ClassResult], tracked: Mapping[str, Mapping[str, float]]) -> Table:
    table = Table()
    table.add_column("class", no_wrap=True)
    for heading in ("boxes", "AP", *ERRORS, *(name.upper() for name in METRICS)):
        table.add_column(heading, justify="right")
    for name, result in detected.items():
        if result.count:
            errors = [result.errors[error] for error in ERRORS]
            track = [tracked.get(name, {}).get(metric, math.nan) for metric in METRICS]
            numbers = [result.mean_precision, *errors, *track]
            table.add_row(name, str(result.count), *(_text(number) for number in numbers))
    return table


def _text(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"
