"""One run in a process of its own: ``python -m tests.jobs.instance.execute JOB [PARTITION]``."""

import json
import sys

from benchmarks.executors import execute
from tests.jobs.instance.deployment import MODULE

if __name__ == "__main__":
    print(json.dumps(execute(*[*sys.argv[1:], ""][:2], MODULE)))
