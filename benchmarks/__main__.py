"""Run every benchmark's quick form and say what it measured: `python -m benchmarks`, or with --full the real sizes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    """Run each script beside this file in its own process; return how many failed."""
    options = [] if "--full" in sys.argv else ["--quick"]
    failed = 0
    scripts = [path for path in sorted(HERE.glob("[a-z]*.py")) if '"--quick"' in path.read_text(encoding="utf-8")]
    for script in scripts:
        print(f"== {script.stem} {' '.join(options)}", flush=True)
        failed += (
            subprocess.run([sys.executable, "-m", f"benchmarks.{script.stem}", *options], check=False).returncode != 0
        )
    return failed


if __name__ == "__main__":
    sys.exit(main())
