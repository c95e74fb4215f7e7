"""The stages of the table that no other command does, each from folders to a folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from simengine.errors import ConfigError

FAILURES = "failures.yaml"


def make_base(out: Path, checkpoint: Path) -> None:
    """Copy the weights and write their vocabulary beside them."""
    from algengine.datasets.vocabulary import save_vocabulary
    from algengine.engine.weights import WEIGHTS_NAME
    from algengine.post_training.base import load_base
    from simengine.files.atomic import write_atomically

    base = load_base(checkpoint)
    write_atomically(out / WEIGHTS_NAME, checkpoint.read_bytes())
    save_vocabulary(base.vocabulary.plans.astype("float32"), out / "plans.npy")


def join_splits(out: Path, parts: Sequence[Path]) -> None:
    """Make one split of several; files are hard links."""
    from simengine.scenario.mapfile import MAP_FOLDER
    from simengine.scenario.splits import load_index, write_index

    entries = []
    (out / MAP_FOLDER).mkdir(parents=True, exist_ok=True)
    for part in parts:
        entries += load_index(part).entries
        for path in [*part.glob("*.npz"), *(part / MAP_FOLDER).iterdir()]:
            link = out / path.relative_to(part)
            if not link.exists():
                os.link(path, link)
    write_index(out, entries)


def mine(out: Path, run: Path, split: Path) -> None:
    """Find what the base planner fails in, by the published rules; hits of static objects count too.

    Raises:
        ConfigError: there is nothing.
    """
    from algengine.datasets.split_file import read_split, write_split
    from algengine.rare_cases.extract import extract_rare_cases
    from algengine.rare_cases.rules import Thresholds

    extract_rare_cases(run / "scores.csv", split, out, Thresholds(max_collision=0.5))
    base = read_split(split)
    chosen = {t for path in sorted(out.glob(f"{base.prefix}_*.yaml")) for t in read_split(path).tokens}
    if not chosen:
        raise ConfigError(
            f"the base planner fails in none of the {len(base.tokens)} scenarios, expected some: give --scenarios more"
        )
    write_split(out / FAILURES, base, [token for token in base.tokens if token in chosen])


def write_variants(out: Path, failures: Path, split: Path, count: int) -> None:
    """Write `count` variants of every rare case as a split, and its tokens as rare cases."""
    from algengine.datasets.split_file import read_split
    from algengine.datasets.split_file import write_split as write_tokens
    from algengine.table.variants import make_variant
    from simengine.scenario.splits import load_index, write_split

    wanted = set(read_split(failures / FAILURES).tokens)
    handles = [handle for handle in load_index(split) if handle.token in wanted]
    variants = (make_variant(handle.load(), number) for handle in handles for number in range(count))
    write_split(variants, out)
    base = read_split(out)
    write_tokens(out / FAILURES, base, base.tokens)


def fill_features(
    base: Path, run: Path, device: str, failures: Path | None, done: Callable[[Path], None]
) -> None:
    """Encode the recordings of a run with the frozen part of the planner, for all trainings; of rare cases if given."""
    from algengine.datasets.split_file import read_split
    from algengine.engine.train import choose_device
    from algengine.engine.weights import WEIGHTS_NAME
    from algengine.post_training.base import load_base
    from algengine.table.open_loop import feature_cache

    recordings = sorted((run / "observations").glob("*.npz"))
    if failures is not None:
        wanted = set(read_split(failures / FAILURES).tokens)
        recordings = [path for path in recordings if path.stem in wanted]
    cache = feature_cache(load_base(base / WEIGHTS_NAME), choose_device(device))
    cache.fill(recordings, done)
