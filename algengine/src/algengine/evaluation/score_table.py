"""Score tables of any origin as columns: ours, the original's, NAVSIM's v1 and v2."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simengine.errors import ScenarioFormatError
from simengine.metrics.epdms.aggregate import SUB_SCORES as EXTENDED_SUB_SCORES
from simengine.metrics.episode import SUB_SCORES

SUMMARY_ROWS = frozenset(
    {
        "average",
        "overall_average",
        "average_all_frames",
        "aggregate_summary_row",
        "extended_pdm_score_stage_one",
        "extended_pdm_score_stage_two",
        "extended_pdm_score_combined",
    }
)
"""What the tools that write such tables call their closing rows of means."""
STAGES = ("_stage_one", "_stage_two")
NAVSIM_SUB_SCORES = tuple(dict.fromkeys((*SUB_SCORES, *EXTENDED_SUB_SCORES)))
SHARES = (
    *NAVSIM_SUB_SCORES,
    *(name + stage for stage in STAGES for name in NAVSIM_SUB_SCORES),
    "score",
    "success",
)
DISTANCES = ("ade_4s", "fde_4s")
LABELS = ("mode", "protocol", "traffic", "log_name", "blame", "error")
_TRUE, _FALSE = ("true", "1", "1.0", "yes"), ("false", "0", "0.0", "no")


@dataclass(frozen=True)
class ScoreTable:
    """One row for each token, in the order of the file.

    Attributes:
        name: of the file, for messages.
        tokens: N distinct scenario ids.
        columns: name -> (N,) values; NaN where a cell is empty. Scores in [0, 1], displacements in metres.
        failed: (N,) bool; rows without a score because the scenario failed (`status`, or `valid` in NAVSIM).
        labels: name -> N texts, of the columns in `LABELS` that are there.
        summary_rows: closing rows of means that were left out.
        duplicates: tokens that came more than once; their first row counts.
        conflicts: those of them whose rows differ.
    """

    name: str
    tokens: tuple[str, ...]
    columns: dict[str, np.ndarray]
    failed: np.ndarray
    labels: dict[str, tuple[str, ...]]
    summary_rows: int = 0
    duplicates: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.tokens)

    def require(self, names: Sequence[str]) -> None:
        """Raise `ScenarioFormatError` unless every one of `names` is a column."""
        missing = [name for name in names if name not in self.columns]
        if missing:
            raise ScenarioFormatError(
                f"{self.name} has no column {', '.join(missing)} (found: {', '.join(self.columns) or 'no scores'}): "
                "give the per-token table of an evaluation"
            )


def read_score_table(path: Path) -> ScoreTable:
    """Return the table in a CSV file, also of a gzipped one.

    Raises:
        ScenarioFormatError: it cannot be read, has no `token` column, or a score is no number.
    """
    path = Path(path)
    reader = csv.reader(io.StringIO(_text(path)))
    header = next(reader, [])
    if "token" not in header:
        raise ScenarioFormatError(
            f"{path} has columns {header}, expected `token` among them: give a table of scores"
        )
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise ScenarioFormatError(f"{path} has the column {twice[0]!r} twice, expected once: check the table")
    first: dict[str, list[str]] = {}
    summaries, duplicates, conflicts = 0, {}, {}
    place = header.index("token")
    index = [i for i, name in enumerate(header) if not name]
    for line in _full_lines(path, reader, len(header)):
        token = line[place]
        if token in SUMMARY_ROWS:
            summaries += 1
        elif token not in first:
            first[token] = line
        else:
            duplicates[token] = None
            if any(a != b for i, (a, b) in enumerate(zip(first[token], line, strict=True)) if i not in index):
                conflicts[token] = None
    cells = {name: [line[i] for line in first.values()] for i, name in enumerate(header) if name}
    columns = {name: _numbers(path, name, cells[name]) for name in (*SHARES, *DISTANCES) if name in cells}
    return ScoreTable(
        name=path.name,
        tokens=tuple(first),
        columns=columns,
        failed=_failed(path, cells, len(first)),
        labels={name: tuple(cells[name]) for name in LABELS if name in cells},
        summary_rows=summaries,
        duplicates=tuple(duplicates),
        conflicts=tuple(conflicts),
    )


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        return content.decode("utf-8-sig")
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ScenarioFormatError(
            f"{path} cannot be read ({reason}), expected a table of scores: check it"
        ) from None
    except UnicodeDecodeError:
        raise ScenarioFormatError(f"{path} is no text, expected a table of scores in UTF-8") from None


def _full_lines(path: Path, reader: Iterator[list[str]], width: int) -> Iterator[list[str]]:
    for number, line in enumerate(reader, start=2):
        if not line:
            continue
        if len(line) != width:
            raise ScenarioFormatError(
                f"{path} line {number} has {len(line)} cells, expected {width} as in the header: check that line"
            )
        yield line


def _numbers(path: Path, name: str, cells: Sequence[str]) -> np.ndarray:
    try:
        values = np.array([float(cell) if cell.strip() else np.nan for cell in cells], np.float64)
    except ValueError as error:
        raise ScenarioFormatError(
            f"{path}: column {name}: {error}, expected numbers or empty cells"
        ) from None
    limit = np.inf if name in DISTANCES else 1.0 + 1e-6
    wrong = values[~np.isnan(values) & ((values < 0.0) | (values > limit))]
    if len(wrong):
        raise ScenarioFormatError(
            f"{path}: column {name} holds {wrong[0]:g}, expected {'>= 0' if name in DISTANCES else '0 to 1'}: "
            "scores are shares, not percent"
        )
    return values


def _failed(path: Path, cells: dict[str, list[str]], count: int) -> np.ndarray:
    if "status" in cells:
        return np.array([status != "ok" for status in cells["status"]], bool)
    if "valid" not in cells:
        return np.zeros(count, bool)
    words = [cell.strip().lower() for cell in cells["valid"]]
    strange = [word for word in words if word not in _TRUE + _FALSE]
    if strange:
        raise ScenarioFormatError(f"{path}: column valid holds {strange[0]!r}, expected True or False")
    return np.array([word in _FALSE for word in words], bool)
