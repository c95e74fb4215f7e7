"""All files of an evaluation."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from algengine.datasets.openscene.places import located
from algengine.datasets.split_file import read_split
from algengine.evaluation.open_loop import chunked
from algengine.evaluation.result_table import ResultRow, summary, write_plans, write_results, write_summary

FAILURES_SPLIT = "navtest_failures_filtered.yaml"


def beside(output: Path, ending: str) -> Path:
    """Return the path of a further file of the table `output`."""
    return output.with_name(f"{output.stem}{ending}")


def failures_split(split: str | None, given: str | None) -> frozenset[str] | None:
    """Return the failures to report apart: those of the split given, or of the published one beside `navtest.yaml`.

    Raises:
        ConfigError: the split cannot be read.
    """
    if given is not None:
        return frozenset(read_split(located(given)).tokens)
    if split is None or Path(split).name != "navtest.yaml":
        return None
    path = located(split).with_name(FAILURES_SPLIT)
    return frozenset(read_split(path).tokens) if path.is_file() else None


def write_evaluation(
    output: Path,
    rows: Sequence[ResultRow],
    about: dict,
    failures: Collection[str] | None = None,
    chunks: int = 1,
) -> dict:
    """Write the table, its plans, the failures' table, the tables of chunks and last the summary; return the summary.

    Args:
        output: path of the table.
        rows: of all tokens.
        about: facts for the summary.
        failures: tokens that get a table of their own.
        chunks: parts that get tables of their own, if there are several.
    """
    write_plans(beside(output, "_plans.csv"), rows)
    content = summary(rows, about)
    if failures is not None:
        failed = [row for row in rows if row.token in failures]
        write_results(beside(output, "_failures.csv"), failed)
        content["failures"] = summary(failed, {})["columns"]
    if chunks > 1:
        by_token = {row.token: row for row in rows}
        parts = chunked(list(by_token), chunks)
        for i, part in enumerate(parts):
            path = beside(output, f"_chunk_{i:03d}_of_{len(parts):03d}.csv")
            write_results(path, [by_token[token] for token in part])
    write_results(output, rows)
    write_summary(beside(output, "_summary.json"), content)
    return content
