"""Processes that end with their parent."""

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

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


POOLS = """
import ctypes, os, re, sys, threading
from rag_assets.platform.processes import share_free_memory
if sys.argv[1] == "shared":
    share_free_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
count = 4 * os.cpu_count() + 8
barrier = threading.Barrier(count)
def take():
    barrier.wait()
    libc.malloc(1000)
    barrier.wait()
threads = [threading.Thread(target=take) for _ in range(count)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc.fopen.restype, libc.fopen.argtypes = ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_char_p]
libc.malloc_info.argtypes, libc.fclose.argtypes = [ctypes.c_int, ctypes.c_void_p], [ctypes.c_void_p]
file = libc.fopen(sys.argv[2].encode(), b"w")
libc.malloc_info(0, file)
libc.fclose(file)
print(len(re.findall("<heap nr", open(sys.argv[2]).read())))
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_info"), reason="not glibc")
def test_threads_share_as_many_pools_of_memory_as_there_are_cores(tmp_path: Path) -> None:
    def pools(mode: str, **variables: str) -> int:
        command = [sys.executable, "-c", POOLS, mode, str(tmp_path / "pools.xml")]
        own = {name: value for name, value in os.environ.items() if name != "MALLOC_ARENA_MAX"}
        environment = own | variables
        return int(subprocess.check_output(command, env=environment, text=True))

    assert pools("shared") <= (os.cpu_count() or 1) < pools("own")
    assert pools("shared", MALLOC_ARENA_MAX="7") == 7
