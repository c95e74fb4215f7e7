"""Failure cards: a line for every held-out rare scenario that the base planner fails in, and who fixes it."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from algengine.evaluation.score_table import ScoreTable
from algengine.table.plan import TablePlan
from algengine.table.rows import BASE
from simengine.datatypes.observation_log import ObservationLog
from simengine.errors import SimEngineError
from simengine.files.atomic import write_atomically
from simengine.metrics.episode import SUB_SCORES
from simengine.scenario.splits import load_index

_STYLE = """body{font:14px system-ui,sans-serif;margin:24px;color:#222}table{border-collapse:collapse}
td,th{border-bottom:1px solid #ddd;padding:6px 10px;text-align:left;vertical-align:top}img{width:240px;display:block}
.all{color:#0a7a2f}.some{color:#a06a00}.none{color:#999}code{font-size:12px}"""
_SCRIPT = """for(const i of document.querySelectorAll('img[data-clip]')){const f=JSON.parse(i.dataset.clip);let k=0;
setInterval(()=>{k=(k+1)%f.length;i.src='data:image/jpeg;base64,'+f[k]},500)}"""


@dataclass(frozen=True)
class Card:
    """One failure.

    Attributes:
        token: scenario id.
        event: what it stages.
        sub_score: the sub-score that is blamed.
        blame: what happened, in words.
        score: of the base planner.
        clip: JPEG images of the front camera, one per decision.
        fixed: row -> share of its seeds that succeed; None if none was simulated.
    """

    token: str
    event: str
    sub_score: str
    blame: str
    score: float
    clip: tuple[bytes, ...]
    fixed: dict[str, float | None]


def make_cards(
    plan: TablePlan, root: Path, tables: Mapping[str, Sequence[Mapping[str, ScoreTable]]]
) -> list[Card]:
    """Return a card for every scenario of the rare split in which the base planner has no success, worst first."""
    events = {
        entry.token: entry.tags.get("event", "") for entry in load_index(root / plan.test.folder).entries
    }
    base = tables[BASE][0]["closed"]
    drives = root / next(p for p in plan.planners if p.row.name == BASE).closed_loop.folder
    cards = []
    for row, token in enumerate(base.tokens):
        if not token.startswith("rare") or base.failed[row] or base.columns["success"][row] != 0.0:
            continue
        fixed = {name: _share(seeds, token) for name, seeds in tables.items() if name != BASE}
        blame = base.labels["blame"][row] if "blame" in base.labels else ""
        clip = _clip(drives / "observations" / f"{token}.npz")
        score = float(base.columns["score"][row])
        cards.append(Card(token, events.get(token, ""), blamed(base, row), blame, score, clip, fixed))
    return sorted(cards, key=lambda card: (card.score, card.token))


def blamed(table: ScoreTable, row: int) -> str:
    """Return the sub-score that costs most: multipliers before weighted ones, as the score treats them."""
    names = [name for name in SUB_SCORES if name in table.columns]
    values = {name: table.columns[name][row] for name in names if not np.isnan(table.columns[name][row])}
    for name in ("no_at_fault_collisions", "drivable_area_compliance"):
        if values.get(name, 1.0) < 1.0:
            return name
    return min(values, key=values.get, default="")


def write_cards(
    path: Path,
    plan: TablePlan,
    root: Path,
    tables: Mapping[str, Sequence[Mapping[str, ScoreTable]]],
    labels: Mapping[str, str],
) -> Path:
    """Write the page and return its path; it needs nothing else."""
    cards = make_cards(plan, root, tables)
    rows = [name for name in labels if name != BASE]
    heads = ("scenario", "base planner", "blamed", *(labels[row] for row in rows))
    body = "".join(_line(card, rows, plan) for card in cards)
    total = sum(token.startswith("rare") for token in tables[BASE][0]["closed"].tokens)
    fixes = "".join(f"<th>{sum((c.fixed[r] or 0.0) for c in cards):.1f} fixed</th>" for r in rows)
    page = (
        f"<!doctype html><meta charset=utf-8><title>Failure cards</title><style>{_STYLE}</style>"
        f"<h1>Failure cards</h1><p>{len(cards)} of {total} held-out rare scenarios fail with the base planner. A "
        "recipe fixes one if it drives it with success; the share of its seeds that do.</p>"
        f"<table><tr>{''.join(f'<th>{html.escape(h)}</th>' for h in heads)}</tr>"
        f"<tr><th></th><th></th><th></th>{fixes}</tr>{body}</table><script>{_SCRIPT}</script>"
    )
    write_atomically(path, page.encode())
    return path


def _line(card: Card, rows: Sequence[str], plan: TablePlan) -> str:
    clip = [base64.b64encode(image).decode() for image in card.clip]
    image = "no images were kept"
    if clip:
        data = html.escape(json.dumps(clip), quote=True)
        image = f'<img alt="front camera" src="data:image/jpeg;base64,{clip[0]}" data-clip="{data}">'
    base = next(p for p in plan.planners if p.row.name == BASE)
    view = f"simengine view {base.closed_loop.folder.as_posix()} --token {card.token}"
    cells = [
        f"<b>{html.escape(card.token)}</b><br>{html.escape(card.event)}<br><code>{html.escape(view)}</code>",
        f"{image}score {100 * card.score:.1f}",
        f"{html.escape(card.sub_score)}<br>{html.escape(card.blame)}",
        *(_fixed(card.fixed[row]) for row in rows),
    ]
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _fixed(share: float | None) -> str:
    if share is None:
        return "not known"
    kind = "all" if share == 1.0 else "some" if share > 0.0 else "none"
    return (
        f'<span class="{kind}">{"yes" if share == 1.0 else "no" if share == 0.0 else f"{share:.0%}"}</span>'
    )


def _share(seeds: Sequence[Mapping[str, ScoreTable]], token: str) -> float | None:
    found = []
    for seed in seeds:
        table = seed["closed"]
        if token in table.tokens:
            row = table.tokens.index(token)
            if not table.failed[row]:
                found.append(float(table.columns["success"][row]))
    return float(np.mean(found)) if found else None


def _clip(path: Path) -> tuple[bytes, ...]:
    if not path.is_file():
        return ()
    try:
        log = ObservationLog.load(path)
    except SimEngineError:
        return ()
    return tuple(rig[0] for rig in log.jpegs)
