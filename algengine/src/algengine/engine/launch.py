"""Starts the processes of a training or an evaluation as torchrun does, but leaves what failed to say so.

python -m algengine.engine.launch --standalone --nproc-per-node 2 -m algengine.cli.main train ...
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from torch.distributed import run
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run torchrun with `arguments` and return 0, or the exit code of the process that failed first.

    A process that fails has said why; torchrun would add a traceback of its own.
    """
    try:
        run.main(arguments)
    except ChildFailedError as error:
        code = error.get_first_failure()[1].exitcode
        return code if code > 0 else 128 - code
    except SignalException as error:
        return 128 + int(error.sigval)
    return 0


if __name__ == "__main__":
    sys.exit(main())
