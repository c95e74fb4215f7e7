"""Which moments of which logs are converted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from simengine.errors import ScenarioFormatError
from simengine.scenario.nuplan.assets import Asset, read_assets
from simengine.scenario.nuplan.filters import FRAME_DT, SceneFilter, read_filter
from simengine.scenario.nuplan.log import SWEEP_DT, NuplanLog
from simengine.scenario.nuplan.openscene import find_metadata, read_metadata
from simengine.scenario.nuplan.options import NuplanOptions, find_logs

_NAMED = 3
Skipped = list[tuple[str, str]]


@dataclass(frozen=True)
class Job:
    """One scenario to make: a sweep of a log, and the asset made around it, if any."""

    log: Path
    token: str
    asset: Asset | None = None


@dataclass(frozen=True)
class LogChoice:
    """What the filters take from one log.

    Attributes:
        log: the log.
        tokens: for each filter, tokens -> their place in the log, in order of time.
        routeless: for each filter, tokens left out for want of a route.
        problem: why the log could not be read, "" if it could.
    """

    log: Path
    tokens: tuple[dict[str, int], ...] = ()
    routeless: tuple[tuple[str, ...], ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Selection:
    """Scenarios to make in order of log and time, and what the sources lack, with the reason."""

    jobs: list[Job]
    skipped: Skipped = field(default_factory=list)


def select(options: NuplanOptions, mapper: Callable[..., Iterable] = map) -> Selection:
    """Return the union of what the filters take.

    Tokens that filters name are taken wherever they are. A filter without tokens takes every scene that NAVSIM would
    cut. With assets only tokens count that have one.

    Args:
        options: sources.
        mapper: like the builtin; reads logs in parallel.

    Raises:
        ScenarioFormatError: there are no logs, a filter cannot be read, or nothing is selected.
    """
    filters = [read_filter(path) for path in options.filters]
    assets, skipped = read_assets(options.asset_root) if options.asset_root else ([], [])
    by_token = {(asset.log_name, token): asset for asset in assets for token in asset.tokens}
    if options.asset_root:
        filters = [_with_assets(rule, by_token) for rule in filters or [SceneFilter(has_route=False)]]
    elif not filters:
        filters = [SceneFilter(name="no filter", has_route=False)]
    logs = [log for log in find_logs(options.logs) if any(rule.wants_log(log.stem) for rule in filters)]
    choices = list(mapper(partial(choose, filters=filters, openscene_root=options.openscene_root), logs))
    skipped += [(str(choice.log), choice.problem) for choice in choices if choice.problem]
    jobs: dict[str, Job] = {}
    places: dict[str, tuple[int, int]] = {}
    for index, rule in enumerate(filters):
        found = [
            (order, choice.log, token, sweep)
            for order, choice in enumerate(choices)
            if choice.tokens
            for token, sweep in choice.tokens[index].items()
        ]
        for order, log, token, sweep in found[: rule.max_scenes]:
            job = jobs.setdefault(token, Job(log, token, by_token.get((log.stem, token))))
            places.setdefault(token, (order, sweep))
            if job.log != log:
                skipped.append((f"{log}#{token}", f"the token is in {job.log} too, expected unique tokens"))
        skipped += _missing(rule, index, logs, choices)
    if not jobs:
        reasons = (
            "; ".join(dict.fromkeys(reason for _, reason in skipped[:_NAMED])) or "the logs are too short"
        )
        raise ScenarioFormatError(f"{options.logs}: nothing to convert in {len(logs)} logs: {reasons}")
    return Selection(sorted(jobs.values(), key=lambda job: places[job.token]), skipped)


def _with_assets(rule: SceneFilter, by_token: dict[tuple[str, str], Asset]) -> SceneFilter:
    """Return the filter with only those of its tokens that have an asset."""
    having = {token for _, token in by_token}
    tokens = having if rule.tokens is None else having & set(rule.tokens)
    logs = {log for log, token in by_token if token in tokens}
    return replace(
        rule, tokens=tuple(sorted(tokens)), log_names=tuple(sorted(x for x in logs if rule.wants_log(x)))
    )


def choose(path: Path, filters: Sequence[SceneFilter], openscene_root: Path | None) -> LogChoice:
    """Return what `filters` take from one log."""
    try:
        with NuplanLog(path) as log:
            routes, sweeps = log.routes(), log.sweeps
            tokens, routeless = [], []
            for rule in filters:
                wanted = _wanted(log, rule, openscene_root) if rule.wants_log(path.stem) else []
                bare = {
                    token
                    for token in wanted
                    if rule.has_route and not routes.get(sweeps.scene_tokens[sweeps.index[token]])
                }
                tokens.append({token: sweeps.index[token] for token in wanted if token not in bare})
                routeless.append(tuple(token for token in wanted if token in bare))
            return LogChoice(path, tuple(tokens), tuple(routeless))
    except ScenarioFormatError as error:
        return LogChoice(path, problem=str(error))


def _wanted(log: NuplanLog, rule: SceneFilter, openscene_root: Path | None) -> list[str]:
    """Return the tokens of a log that a filter names or cuts, in order of time."""
    index = log.sweeps.index
    if rule.tokens is not None:
        return sorted((token for token in set(rule.tokens) if token in index), key=index.__getitem__)
    metadata = find_metadata(openscene_root, log.path.stem) if openscene_root else None
    if metadata is not None:
        frames = [token for token in read_metadata(metadata) if token in index]
    else:
        frames = list(log.sweeps.tokens[:: round(FRAME_DT / SWEEP_DT)])
    return rule.windows(frames)


def _missing(rule: SceneFilter, index: int, logs: Sequence[Path], choices: Sequence[LogChoice]) -> Skipped:
    """Return what a filter asks for and the logs do not have."""
    read = [choice for choice in choices if not choice.problem]
    bare = [token for choice in read for token in choice.routeless[index]]
    known = {token for choice in read for token in choice.tokens[index]} | set(bare)
    unknown = [token for token in rule.tokens or () if token not in known]
    stems = {log.stem for log in logs}
    absent = [name for name in rule.log_names or () if name not in stems]
    entries = [
        (absent, f"of {len(rule.log_names or ())} logs are not there", "add their .db files"),
        (unknown, f"of {len(rule.tokens or ())} tokens are in none of {len(read)} logs", "check the filter"),
        (bare, "scenes have no route, and the filter wants one", "set has_route to false to keep them"),
    ]
    return [
        (rule.name, f"{len(names)} {what}, such as {', '.join(names[:_NAMED])}: {remedy}")
        for names, what, remedy in entries
        if names
    ]
