"""Processes that end with their parent."""

import signal
import subprocess
import sys

import pytest

CODE = """
import os, sys
from rag_assets.platform.processes import end_with_parent
end_with_parent(os.getppid() + int(sys.argv[1]))
"""


@pytest.mark.parametrize(("wrong_by", "code"), [(0, 0), (1, -signal.SIGKILL)])
def test_only_one_whose_parent_is_another_by_now_ends_at_once(wrong_by: int, code: int) -> None:
    """Process 1 may well be the parent: so it is in a container that has nothing else."""
    done = subprocess.run([sys.executable, "-c", CODE, str(wrong_by)], check=False)
    assert done.returncode == code
