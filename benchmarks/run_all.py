"""All benchmarks of speed and memory, one after the other.

Run ``python benchmarks/run_all.py --page`` on a quiet machine: ten minutes on two cores. Options go
to each of them; the exit code is 1 if one of them missed a limit or failed.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from measuring import parser
from speed_page import ORDER

ROOM = Path(__file__).parent


def main() -> int:
    """Run them."""
    asked = parser(__doc__)
    asked.add_argument("--only", nargs="+", choices=ORDER, default=ORDER)
    options, _ = asked.parse_known_args()
    given = sys.argv[1:]
    if "--only" in given:
        first = given.index("--only")
        given = given[:first] + given[first + 1 + len(options.only) :]
    codes = {}
    for name in options.only:
        begun = time.perf_counter()
        print(f"== {name}", flush=True)
        codes[name] = subprocess.run([sys.executable, ROOM / f"{name}.py", *given]).returncode
        print(f"   {time.perf_counter() - begun:.0f} s", flush=True)
    missed = [name for name, code in codes.items() if code]
    if missed:
        print(f"Not as wanted: {', '.join(missed)}")
    return int(bool(missed))


if __name__ == "__main__":
    raise SystemExit(main())
