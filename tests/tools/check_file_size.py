"""Pre-commit hook: refuses files above 500 kB (released weights and locks excepted)."""

import sys
from pathlib import Path

LIMIT = 500_000
EXEMPT = (".npz", ".pth", ".pt", ".safetensors")

large = [
    p for p in map(Path, sys.argv[1:]) if p.is_file() and p.stat().st_size > LIMIT and p.suffix not in EXEMPT
]
for path in large:
    print(
        f"{path} has {path.stat().st_size} bytes, expected at most {LIMIT}: keep data out of the repository"
    )
sys.exit(bool(large))
