"""Assembles the report page from its template, style, script and data."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterable, Sequence
from importlib.resources import files
from pathlib import Path

from simengine.datatypes.record import RolloutRecord
from simengine.files.atomic import write_atomically
from simengine.metrics.report.losses import losses_of
from simengine.metrics.report.scene import scene_data
from simengine.metrics.row import SCORE_COLUMNS, ScoreRow, is_known
from simengine.metrics.summary import summarize
from simengine.metrics.table import scores_hash, sort_rows
from simengine.metrics.verdict import Verdict, judge
from simengine.scenario.scenario import Scenario

MAX_ANIMATIONS = 64


def write_report(
    path: Path,
    rows: Iterable[ScoreRow],
    load_record: Callable[[str], RolloutRecord],
    load_scenario: Callable[[str], Scenario],
    load_front_images: Callable[[str], Sequence[bytes]],
    *,
    title: str = "Closed-loop scores",
    max_animations: int = MAX_ANIMATIONS,
    verdict_of: Callable[[RolloutRecord, Scenario, str], Verdict] = judge,
) -> None:
    """Write one HTML file that needs no other file and no network.

    Args:
        path: where to write.
        rows: the score table; every row is listed, failed ones with their error.
        load_record: token -> record, called for scored rows only.
        load_scenario: token -> scenario, called for scored rows only.
        load_front_images: token -> JPEG bytes of the front camera, one per decision; empty without.
        title: heading of the page.
        max_animations: how many scenarios get an animation and all their losses in numbers, worst first; the others are
            listed with their most severe failure only.
        verdict_of: (record, scenario, mode) -> why it scored what it did.
    """
    rows = sorted(sort_rows(rows), key=_worst_first)
    animated = [row.token for row in rows if row.status == "ok"][:max_animations]
    scenes, losses = [], {}
    for index, row in enumerate(rows):
        if row.token in animated:
            record, scenario = load_record(row.token), load_scenario(row.token)
            losses[row.token] = losses_of(verdict_of(record, scenario, row.mode).blames, record)
            data = scene_data(scenario, record, load_front_images(row.token))
            scenes.append(f'<script type="application/json" id="scene-{index}">{_json(data)}</script>')
    page = {
        "rows": [_row(row, row.token in animated) | {"losses": losses.get(row.token, [])} for row in rows],
        "columns": list(SCORE_COLUMNS),
        "summary": summarize(rows),
        "hash": scores_hash(rows),
    }
    parts = {
        "title": html.escape(title),
        "style": _resource("report.css"),
        "script": _resource("report.js"),
        "page": _json(page),
        "scenes": "\n".join(scenes),
    }
    # One pass, so that braces in the inserted text are never taken for placeholders.
    content = re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _resource("template.html"))
    write_atomically(path, content.encode())


def _worst_first(row: ScoreRow) -> tuple[int, float, float, str]:
    if row.status == "failed":
        return 0, 0.0, 0.0, row.token
    known = is_known(row.score)
    return (
        (1 if known else 2),
        (row.score if known else 0.0),
        (row.success if is_known(row.success) else 2.0),
        row.token,
    )


def _row(row: ScoreRow, animated: bool) -> dict:
    numbers = {name: round(v, 4) if is_known(v := getattr(row, name)) else None for name in SCORE_COLUMNS}
    time = row.first_violation_time
    return {
        "token": row.token,
        "status": row.status,
        "values": numbers,
        "reasons": row.reasons,
        "blame": row.blame,
        "violation": time if is_known(time) else None,
        "error": row.error,
        "animated": animated,
    }


def _json(value: object) -> str:
    # Inside a script element only "</" could end it early.
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _resource(name: str) -> str:
    return files("simengine.metrics.report").joinpath(name).read_text(encoding="utf-8")
