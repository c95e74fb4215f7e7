"""How many commands of the table run at a time, and how the cores are shared among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from algengine.table.stage import Stage


@dataclass(frozen=True)
class Budget:
    """What there is to share. Shares decide how long something takes and never what comes out.

    Attributes:
        jobs: commands at a time.
        cores: processes of all of them together.
    """

    jobs: int = 1
    cores: int = 1

    @property
    def each(self) -> int:
        """Cores of a command that cannot be spread; always the same, because rounding depends on numbers of threads."""
        return max(1, self.cores // self.jobs)

    def threads(self, stage: Stage) -> int:
        """Return how many threads each process of a stage has."""
        return 1 if stage.spread else self.each

    def shares(
        self, ready: Sequence[Stage], waiting: Sequence[Stage], taken: Sequence[int]
    ) -> list[tuple[Stage, int]]:
        """Return which stages begin now, and with how many cores.

        A stage that is spread leaves the others that may begin before it ends their part: those that do not depend on
        it. Where all that is left depends on it, it gets everything that is free.

        Args:
            ready: stages that could begin, in order.
            waiting: all that have not begun, the ready ones among them.
            taken: cores of each running command.
        """
        free, places = self.cores - sum(taken), self.jobs - len(taken)
        chosen, left = [], list(waiting)
        for stage in ready[:places]:
            if free < 1:
                break
            rivals = sum(stage.key not in other.ancestors for other in left)
            share = max(1, free // min(places, rivals)) if stage.spread else self.each
            chosen.append((stage, share))
            left.remove(stage)
            free, places = free - share, places - 1
        return chosen
