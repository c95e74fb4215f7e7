"""From a score table and a split to the splits of its rare cases."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from algengine.datasets.split_file import read_split, write_split
from algengine.evaluation.score_table import read_score_table
from algengine.rare_cases.report import make_report
from algengine.rare_cases.rules import Thresholds, select
from simengine.errors import ScenarioFormatError
from simengine.files.atomic import write_atomically

REPORT_ENDING = "_rare_cases.json"


def extract_rare_cases(
    scores: Path,
    base_split: Path,
    output: Path,
    thresholds: Thresholds | None = None,
    intersect: bool = True,
) -> dict:
    """Write one split per rule and a report into `output`, and return the report.

    Tokens keep the order of the table; every other key is the base split's, its drives included, as consumers
    of the published splits expect.

    Args:
        scores: CSV with a row per token.
        base_split: YAML of the split that was scored, or a folder with our `index.json`.
        output: folder; files in it are replaced.
        thresholds: of the rules.
        intersect: leave out tokens that are not in the base split; the original keeps them.

    Raises:
        ScenarioFormatError: a file cannot be read, lacks a column, or is of another split.
    """
    table, base = read_score_table(scores), read_split(base_split)
    selections = select(table, thresholds)
    known = set(base.tokens)
    inside = np.array([not intersect or token in known for token in table.tokens], bool)
    if not inside.any():
        raise ScenarioFormatError(
            f"{scores} has no row for any of the {len(known)} tokens of {base_split}, expected scores of that split: "
            "give the table and the split of one evaluation"
        )
    names = [f"{base.prefix}_{selection.name}.yaml" for selection in selections]
    report = make_report(table, base, selections, inside, names)
    for selection, name in zip(selections, names, strict=True):
        rows = np.flatnonzero(selection.chosen & inside)
        write_split(output / name, base, [table.tokens[row] for row in rows])
    text = json.dumps(report, indent=1, allow_nan=False) + "\n"
    write_atomically(output / f"{base.prefix}{REPORT_ENDING}", text.encode())
    return report
