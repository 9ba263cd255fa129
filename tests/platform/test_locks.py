"""Locks exclude other processes, name their holder, and do not survive a kill."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rag_assets.platform.errors import AlreadyRunning
from rag_assets.platform.locks import exclusive

HOLDER = """
import sys, time
from pathlib import Path
from rag_assets.platform.locks import exclusive
with exclusive(Path(sys.argv[1]), "ingest", doing="testing"):
    print("held", flush=True)
    time.sleep(600)
"""


def test_another_process_is_named_and_a_killed_one_frees_the_lock(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(AlreadyRunning, match=f"process {holder.pid}, testing"),
            exclusive(tmp_path, "ingest", doing="other"),
        ):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with exclusive(tmp_path, "ingest", doing="other"):
        pass


def test_one_process_may_hold_it_twice(tmp_path: Path) -> None:
    with exclusive(tmp_path, "shard", doing="a"), exclusive(tmp_path, "shard", doing="b"):
        pass
    with exclusive(tmp_path, "shard", doing="c"):
        pass
