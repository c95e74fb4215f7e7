"""The open-loop evaluation of a planner: chunk by chunk, resumable, on one or several processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from algengine.evaluation.journal import Journal
from algengine.evaluation.predict import predict
from algengine.evaluation.prediction import Prediction
from algengine.evaluation.result_table import ResultRow
from algengine.evaluation.samples import EvaluationSet
from algengine.evaluation.scoring import PlanResult, Scorer
from algengine.planners.vadv2 import VADv2
from simengine.errors import ConfigError


@dataclass(frozen=True)
class Share:
    """Which part of the work this process does.

    Attributes:
        rank: its number.
        world: number of processes.
    """

    rank: int = 0
    world: int = 1


@dataclass(frozen=True)
class Work:
    """How to go about it.

    Attributes:
        folder: what has been done is kept here.
        about: what the planner's choices depend on.
        device: where to compute.
        batch_size: samples at a time.
        workers: processes that decode images, and that compute scores.
        chunks: parts that are done one after another.
    """

    folder: Path
    about: dict
    device: torch.device | str = "cpu"
    batch_size: int = 1
    workers: int = 0
    chunks: int = 1


def chunked(tokens: Sequence[str], chunks: int) -> list[list[str]]:
    """Return at most `chunks` contiguous parts of equal size but the last, as the published splitter makes them.

    Raises:
        ConfigError: `chunks` is not positive.
    """
    if chunks < 1:
        raise ConfigError(f"--chunks is {chunks}, expected at least 1")
    size = max(-(-len(tokens) // chunks), 1)
    return [list(tokens[start : start + size]) for start in range(0, len(tokens), size)]


def journals(work: Work, scorer: Scorer, rank: int = 0) -> tuple[Journal[Prediction], Journal[PlanResult]]:
    """Return what has been chosen and what has been scored."""
    scored_about = {**work.about, **scorer.describe()}
    chosen = Journal(work.folder, "predictions", Prediction, work.about, rank)
    return chosen, Journal(work.folder, "scores", PlanResult, scored_about, rank)


def evaluate(
    planner: VADv2,
    chosen: EvaluationSet,
    scorer: Scorer,
    work: Work,
    share: Share = Share(),
    progress: Callable[[str, str], None] = lambda stage, token: None,
) -> None:
    """Do this process's share of what is not done yet; `results` reads what all have done.

    What failed is tried again.

    Args:
        planner: in evaluation mode, on the device.
        chosen: samples.
        scorer: of the planner's choices.
        work: how and where.
        share: part of this process.
        progress: called with `predict` or `score` and each token.

    Raises:
        ConfigError: the folder has results of another evaluation.
    """
    predictions, scores = journals(work, scorer, share.rank)
    predicted = {t: p for t, p in predictions.read().items() if not p.error}
    scored = {t for t, s in scores.read().items() if not s.error}
    for part in chunked(list(chosen.rows), work.chunks):
        mine = part[share.rank :: share.world]
        todo = [token for token in mine if token not in predicted]
        made = predict(planner, chosen, todo, work.device, work.batch_size, work.workers) if todo else ()
        fresh = {}
        for one in predictions.append(made):
            fresh[one.token] = one
            progress("predict", one.token)
        known = {**predicted, **fresh}
        waiting = [known[token] for token in mine if token not in scored or token in fresh]
        for result in scores.append(scorer.score(waiting, max(work.workers, 1)) if waiting else ()):
            progress("score", result.token)


def results(chosen: EvaluationSet, scorer: Scorer, work: Work) -> list[ResultRow]:
    """Return a row for each token, in order; what nobody has done yet is a row that says so."""
    predictions, scores = (journal.read() for journal in journals(work, scorer))
    missing = "not evaluated"
    return [
        ResultRow(
            predictions.get(token, Prediction(token, error=missing)),
            scores.get(token, PlanResult(token, error=missing)),
        )
        for token in chosen.rows
    ]
