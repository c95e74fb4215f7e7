"""Makes the table: runs its stages, then writes table.md, table.csv, plots and failure cards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from algengine.evaluation.compare import FEW
from algengine.evaluation.score_table import ScoreTable, read_score_table
from algengine.table.budget import Budget
from algengine.table.cards import write_cards
from algengine.table.execute import run_stages
from algengine.table.options import TableOptions
from algengine.table.plan import TablePlan, make_plan
from algengine.table.plots import write_plots
from algengine.table.results import compare_rows, make_cells
from algengine.table.rows import BASE, COMPARED, ON_POLICY, choose_rows
from algengine.table.stage import Stage
from algengine.table.write import write_csv, write_markdown


def make_table(
    options: TableOptions, root: Path, progress: Callable[[Stage, str], None] = lambda *_: None
) -> list[Path]:
    """Do what is not done yet below `root`, and return the files that were written.

    Interrupted at any moment and called again with the same options it gives, on the CPU, the same bytes.

    Raises:
        SimEngineError: a stage failed.
    """
    root.mkdir(parents=True, exist_ok=True)
    plan = make_plan(options)
    # Threads that wait busily only slow each other down.
    environment = {"OMP_WAIT_POLICY": "PASSIVE"}
    if options.device == "cpu":
        environment["CUDA_VISIBLE_DEVICES"] = ""
    run_stages(plan.stages, root, Budget(options.jobs, options.workers), environment, progress)
    return write_table(plan, options, root)


def write_table(plan: TablePlan, options: TableOptions, root: Path) -> list[Path]:
    """Write everything that is made of the results of the stages."""
    labels = {planner.row.name: planner.row.label for planner in plan.planners}
    tables: dict[str, list[dict[str, ScoreTable]]] = {row: [] for row in labels}
    for planner in plan.planners:
        tables[planner.row.name].append(
            {
                "open": read_score_table(root / plan.open_loop.folder / f"{planner.name}.csv"),
                "closed": read_score_table(root / planner.closed_loop.folder / "scores.csv"),
            }
        )
    cells = make_cells(tables, BASE)
    write_csv(root / "table.csv", cells, labels, {row: len(tables[row]) for row in labels})
    pairs = compare_rows(tables, COMPARED, "rare")
    write_markdown(root / "table.md", cells, pairs, labels, _notes(options, tables))
    plots = write_plots(root / "plots", cells, labels)
    cards = write_cards(root / "failures.html", plan, root, tables, labels)
    return [root / "table.md", root / "table.csv", *plots, cards]


def _notes(options: TableOptions, tables: dict) -> list[str]:
    failed = {row: sum(int(seed["closed"].failed.sum()) for seed in seeds) for row, seeds in tables.items()}
    notes = [
        f"Learned from {options.scenarios} scenarios of `common_train` and {options.scenarios} of `rare_train`; tested "
        f"on {options.test_scenarios} of `common_test` and {options.test_scenarios} of `rare_test`, which no training "
        "and no mining sees.",
        "Percent. Second line: difference from the base, its paired bootstrap 95 % interval over scenarios and "
        "trainings; bold if it excludes 0. In brackets the standard deviation over seeds.",
        "Open loop: score of the chosen plan, mean over all decisions of the logged drive. Closed loop: one drive per "
        f"scenario, traffic {options.traffic}.",
    ]
    rows = choose_rows(options.rows)
    if any(row.config for row in rows):
        notes.append(
            f"Trainings per row: {options.seeds}, {options.steps} updates of {options.batch_size} decisions each."
        )
    if ON_POLICY in rows:
        notes.append(
            f"On-policy trainings: {options.seeds}, {options.rounds} rounds of driving and updates each."
        )
    if any(row.variants for row in rows):
        notes.append(
            "The full recipe learns in variants made by a rule (tracks shifted in time), not by a learned behaviour "
            "model."
        )
    if options.test_scenarios < FEW:
        notes.append(f"Fewer than {FEW} test scenarios per split: intervals are too narrow.")
    notes += [
        f"{row}: {n} drives could not be simulated and count nowhere." for row, n in failed.items() if n
    ]
    return notes
