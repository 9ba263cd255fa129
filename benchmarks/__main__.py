"""Run every benchmark, one after the other, each in a process of its own: ``python -m benchmarks``."""

import subprocess
import sys

MODULES = ("embedding", "parsing", "chunking", "ingest", "search", "promotion", "service")


def main() -> int:
    """Run them all; the exit code is that of the last one that failed, if any."""
    code = 0
    for name in MODULES:
        done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False)
        code = done.returncode or code
    return code


if __name__ == "__main__":
    sys.exit(main())
