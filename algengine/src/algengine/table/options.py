"""How large a table is and how it is made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from simengine.errors import ConfigError


@dataclass(frozen=True)
class TableOptions:
    """Options of the table; those below `workers` do not change what comes out.

    Attributes:
        checkpoint: weights of the base planner.
        scenarios: of `common_train` and of `rare_train` each, to mine and to learn from.
        test_scenarios: of `common_test` and of `rare_test` each.
        seeds: trainings of each row, with seeds 0, 1, ...
        steps: updates of each training.
        batch_size: decisions per update.
        lr: highest learning rate.
        train_options: further words `KEY=VALUE` for the recipes of all rows.
        rounds: of the on-policy row, if it is asked for.
        variants: of each rare case, for the full recipe.
        rows: names of the rows, all if empty.
        image_size: width and height of the cameras [px].
        backend: what draws them: cpu, gsplat or auto.
        traffic: NR or R, of the tests.
        workers: processes that all stages share, see `Budget`.
        jobs: stages at a time.
        device: auto, cpu or cuda.
    """

    checkpoint: Path
    scenarios: int = 120
    test_scenarios: int = 72
    seeds: int = 3
    steps: int = 2000
    batch_size: int = 48
    lr: float = 1e-3
    train_options: tuple[str, ...] = ()
    rounds: int = 30
    variants: int = 2
    rows: tuple[str, ...] = ()
    image_size: tuple[int, int] = (320, 180)
    backend: str = "cpu"
    traffic: str = "NR"
    workers: int = 1
    jobs: int = 1
    device: str = "auto"

    def __post_init__(self) -> None:
        for name in (
            "scenarios",
            "test_scenarios",
            "seeds",
            "steps",
            "batch_size",
            "rounds",
            "workers",
            "jobs",
        ):
            if getattr(self, name) < 1:
                raise ConfigError(f"--{name.replace('_', '-')} is {getattr(self, name)}, expected at least 1")
        if not self.lr > 0.0:
            raise ConfigError(f"--lr is {self.lr}, expected a rate above 0")
        if min(self.image_size) < 16:
            raise ConfigError(
                f"--size is {'x'.join(map(str, self.image_size))}, expected at least 16x16 pixels"
            )
        if self.variants < 0:
            raise ConfigError(f"--variants is {self.variants}, expected at least 0")
