"""Who survives the built-in world: success of drivers by event, in both traffic modes.

python benchmarks/world.py rare_test --num-scenarios 100 --workers 2        JSON; a table on stderr
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections import defaultdict

from simengine.agents.pdm_closed import PdmClosedPolicy
from simengine.agents.simple import ConstantVelocityPolicy
from simengine.world.certificate import TRAFFIC, make_expert, make_naive, try_driver
from simengine.world.splits import BuiltinHandle, builtin_handles

DRIVERS = {
    "expert": make_expert,
    "naive": make_naive,
    "constant_velocity": lambda scenario, simulation: ConstantVelocityPolicy(scenario),
    "pdm_closed": lambda scenario, simulation: PdmClosedPolicy(scenario),
}


def drive_all(handle: BuiltinHandle) -> tuple[str, float, int, dict[str, bool]]:
    """Return the event of a scenario, how long it took to make [s], its tries, and who succeeded."""
    begin = time.process_time()
    scenario = handle.load()
    seconds = time.process_time() - begin
    won = {
        f"{name} {traffic}": try_driver(scenario, traffic, make).success
        for name, make in DRIVERS.items()
        for traffic in TRAFFIC
    }
    return scenario.tags["event"], seconds, scenario.tags["attempt"] + 1, won


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("split")
    parser.add_argument("--num-scenarios", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    handles = builtin_handles(arguments.split, arguments.num_scenarios)
    with multiprocessing.get_context("spawn").Pool(arguments.workers) as pool:
        rows = pool.map(drive_all, handles, chunksize=2)
    by_event = defaultdict(list)
    for event, _, _, won in rows:
        by_event[event].append(won)
        by_event["all"].append(won)
    table = {
        event: {name: round(100.0 * sum(won[name] for won in group) / len(group), 1) for name in group[0]}
        | {"scenarios": len(group)}
        for event, group in sorted(by_event.items())
    }
    print_table(table)
    result = {
        "benchmark": "world",
        "split": arguments.split,
        "scenarios": len(rows),
        "cpu_s_per_scenario": round(sum(row[1] for row in rows) / len(rows), 3),
        "tries_per_scenario": round(sum(row[2] for row in rows) / len(rows), 2),
        "success_percent": table,
    }
    print(json.dumps(result))


def print_table(table: dict[str, dict[str, float]]) -> None:
    """Print the success in percent as Markdown."""
    names = list(next(iter(table.values())))
    print("| event | " + " | ".join(names) + " |", file=sys.stderr)
    print("|---" * (len(names) + 1) + "|", file=sys.stderr)
    for event, row in table.items():
        print(f"| `{event}` | " + " | ".join(f"{row[name]:g}" for name in names) + " |", file=sys.stderr)


if __name__ == "__main__":
    main()
