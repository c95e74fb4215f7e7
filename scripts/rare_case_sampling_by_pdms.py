#!/usr/bin/env python
"""Splits of rare cases from a score table; the original's name for `algengine rare-cases`.

python scripts/rare_case_sampling_by_pdms.py --pdm-result CSV --base-split YAML --output-dir DIR [--ep-percentile 1]
"""

import os
import sys
from pathlib import Path

command = Path(__file__).resolve().parent.parent / ".venv" / "bin" / "algengine"
if not command.is_file():
    sys.exit(f"rare_case_sampling_by_pdms: no {command}, expected the environment: run scripts/bootstrap.sh")
os.execv(command, [str(command), "rare-cases", *sys.argv[1:]])
