"""From options to stages: what is simulated, mined, learned and tested, and in which order."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from algengine import __version__
from algengine.table.options import TableOptions
from algengine.table.rows import BASE, ON_POLICY, RowRecipe, choose_rows
from algengine.table.stage import OUT, Stage
from simengine.scenario.splits import file_sha256

_PLANNER = "bridge.in_process=algengine.post_training.load:load_post_trained"
TRAIN_SPLITS = ("common_train", "rare_train")
TEST_SPLITS = ("common_test", "rare_test")


@dataclass(frozen=True)
class TestedPlanner:
    """One planner of a row.

    Attributes:
        row: recipe.
        seed: of its training.
        weights: stage that made it.
        closed_loop: stage that drove it.
    """

    row: RowRecipe
    seed: int
    weights: Stage
    closed_loop: Stage

    @property
    def name(self) -> str:
        """Row and seed."""
        return self.row.name if self.row.name == BASE else f"{self.row.name}_seed{self.seed}"


@dataclass(frozen=True)
class TablePlan:
    """All stages, each after those it needs.

    Attributes:
        stages: in order.
        planners: what is tested.
        open_loop: stage with a table `<name>.csv` of each planner.
        test: stage with the scenarios of the tests.
        failures: stage with the mined rare cases.
    """

    stages: tuple[Stage, ...]
    planners: tuple[TestedPlanner, ...]
    open_loop: Stage
    test: Stage
    failures: Stage


class _Plan:
    """Stages as they come up."""

    def __init__(self, options: TableOptions) -> None:
        self.options, self.stages = options, []
        self.drawn = (
            f"render.width_px={options.image_size[0]}",
            f"render.height_px={options.image_size[1]}",
            f"render.backend={options.backend}",
        )

    def add(
        self, name: str, *words: str, needs: tuple[Stage, ...] = (), **more: str | tuple[str, ...]
    ) -> Stage:
        stage = Stage(name, words, needs, **more)
        self.stages.append(stage)
        return stage

    def scenarios(self, name: str, splits: tuple[str, ...], count: int) -> Stage:
        """Generate built-in splits and join them."""
        parts = tuple(
            self.add(s, "simengine", "generate", s, OUT, "--num-scenarios", str(count), spread="--workers")
            for s in splits
        )
        folders = [part.folder.as_posix() for part in parts]
        return self.add(name, "step", "join", OUT, *folders, needs=parts)

    def simulate(self, name: str, preset: str, split: Stage, *words: str, needs: tuple[Stage, ...]) -> Stage:
        """Drive all scenarios of a stage."""
        given = (
            f"split={split.label}",
            "scenario_root=stages",
            f"output_dir={OUT}",
            "seed=0",
            "report=false",
        )
        return self.add(
            name,
            *("simengine", "run", "--config-name", preset, *given, "keep_going=true", *self.drawn, *words),
            needs=(split, *needs),
            spread="num_workers",
        )

    def rollout(
        self, name: str, split: Stage, base: Stage, rewards: str, needs: tuple[Stage, ...] = ()
    ) -> Stage:
        """Let the base planner drive and keep everything that post-training needs."""
        words = (
            _PLANNER,
            f"model_name={base.folder.as_posix()}",
            "record.cameras=all",
            "protocol.lookahead=4.0",
        )
        return self.simulate(name, "closed_loop", split, *words, rewards, needs=(base, *needs))


def make_plan(options: TableOptions) -> TablePlan:
    """Return the stages of a table."""
    plan, rows = _Plan(options), choose_rows(options.rows)
    digest = (file_sha256(options.checkpoint), __version__)
    checkpoint = str(Path(options.checkpoint).resolve())
    base = plan.add("base", "step", "base", OUT, carried_out=(checkpoint,), inputs=digest)
    rewards = f"rewards.vocabulary={(base.folder / 'plans.npy').as_posix()}"
    train = plan.scenarios("train", TRAIN_SPLITS, options.scenarios)
    test = plan.scenarios("test", TEST_SPLITS, options.test_scenarios)
    log_test = plan.simulate("log_test", "record", test, rewards, needs=(base,))
    runs = {"log_test": log_test}
    # Recipes learn from recordings; on-policy training drives for itself.
    if any(row.config for row in rows):
        runs["log_train"] = plan.simulate("log_train", "record", train, rewards, needs=(base,))
    drives = plan.rollout("rollout", train, base, rewards)
    failures = plan.add(
        "failures",
        "step",
        "mine",
        OUT,
        drives.folder.as_posix(),
        train.folder.as_posix(),
        needs=(drives, train),
    )
    if any(row.rollouts for row in rows):
        runs["rollout"] = drives
    variants = None
    if any(row.variants for row in rows) and options.variants:
        where = (failures.folder.as_posix(), train.folder.as_posix())
        variants = plan.add(
            "variants", "step", "variants", OUT, *where, str(options.variants), needs=(failures, train)
        )
        runs["rollout_variants"] = plan.rollout("rollout_variants", variants, base, rewards)
    device = ("--device", options.device)
    # Of its drives the trainings use those through rare cases only.
    only = {"rollout": ("--only", failures.folder.as_posix())}
    features = {
        name: plan.add(
            f"features_{name}",
            *("step", "features", base.folder.as_posix(), run.folder.as_posix(), *only.get(name, ())),
            needs=(base, run, failures) if name in only else (base, run),
            carried_out=device,
        )
        for name, run in runs.items()
    }
    seen = features.pop("log_test")
    # Tests of the base planner first: they say soonest whether there is anything to learn.
    planners = [_tested(plan, rows[0], 0, base, test)]
    for row in rows[1:]:
        for seed in range(options.seeds):
            if row == ON_POLICY:
                weights = _train_on_policy(plan, seed, base, train, failures)
            else:
                weights = _train(plan, row, seed, base, runs, failures, variants, tuple(features.values()))
            planners.append(_tested(plan, row, seed, weights, test))
    named = [f"{p.name}={p.weights.folder.as_posix()}" for p in planners]
    open_loop = plan.add(
        "open_loop",
        *("step", "open-loop", OUT, base.folder.as_posix(), log_test.folder.as_posix(), *named),
        needs=(log_test, seen, *(p.weights for p in planners)),
        carried_out=device,
    )
    return TablePlan(tuple(plan.stages), tuple(planners), open_loop, test, failures)


def _train(
    plan: _Plan,
    row: RowRecipe,
    seed: int,
    base: Stage,
    runs: dict[str, Stage],
    failures: Stage,
    variants: Stage | None,
    features: tuple[Stage, ...],
) -> Stage:
    options, log = plan.options, runs["log_train"].folder.as_posix()
    rollouts = [runs["rollout"]] if row.rollouts else []
    splits = [failures]
    if row.variants and variants is not None:
        rollouts, splits = [*rollouts, runs["rollout_variants"]], [*splits, variants]
    changes = (
        f"data.common={[log]}",
        f"data.rare={[log]}",
        f"data.rollouts={[stage.folder.as_posix() for stage in rollouts]}",
        f"data.failures={[(stage.folder / 'failures.yaml').as_posix() for stage in splits]}",
        f"data.seed={seed}",
        f"schedule.seed={seed}",
        f"schedule.steps={options.steps}",
        f"schedule.batch_size={options.batch_size}",
        f"schedule.lr={options.lr}",
        "cache.root=features",
        *options.train_options,
    )
    weights = (base.folder / "weights.pth").as_posix()
    return plan.add(
        f"{row.name}_seed{seed}",
        *("algengine", "post-train", row.config, "--checkpoint", weights, "--work-dir", OUT),
        *("--cfg-options", *changes),
        needs=(base, failures, *features),
        carried_out=("--device", options.device),
    )


def _train_on_policy(plan: _Plan, seed: int, base: Stage, train: Stage, failures: Stage) -> Stage:
    options, start = plan.options, (base.folder / "weights.pth").as_posix()
    only = (failures.folder / "failures.yaml").as_posix()
    # Batches and passes are its own: a round has far fewer decisions than a recipe.
    numbers = {"rounds": options.rounds, "lr": options.lr, "seed": seed}
    return plan.add(
        f"on_policy_seed{seed}",
        *("algengine", "on-policy", "--checkpoint", start, "--work-dir", OUT, "--only", only),
        # Like the recipes, as many drives in which the base planner does not fail.
        *("--common", train.label),
        *(word for name, value in numbers.items() for word in (f"--{name}", str(value))),
        *(f"split={train.label}", "scenario_root=stages", *plan.drawn),
        needs=(base, train, failures),
        carried_out=("--device", options.device),
        spread="--threads",
    )


def _tested(plan: _Plan, row: RowRecipe, seed: int, weights: Stage, test: Stage) -> TestedPlanner:
    name = row.name if row.name == BASE else f"{row.name}_seed{seed}"
    # Only the drives of the base planner are shown.
    kept = "record.cameras=front" if row.name == BASE else "record.cameras=none"
    words = (_PLANNER, f"model_name={weights.folder.as_posix()}", kept, f"traffic={plan.options.traffic}")
    drive = plan.simulate(f"closed_loop_{name}", "closed_loop", test, *words, needs=(weights,))
    return TestedPlanner(row, seed, weights, drive)
