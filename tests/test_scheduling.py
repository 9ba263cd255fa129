"""Two workers of pytest-xdist: the tests of a file, or of a folder that shares, stay together."""

import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from tests.scheduling import LONG, TOGETHER, VLLM, group_of, turn

ROOT = Path(__file__).parents[1]
TESTS = """
import os, pytest
@pytest.mark.parametrize("number", range({count}))
def test_it(number):
    with open(os.environ["SEEN"], "a") as seen:
        print("{name}", os.environ["PYTEST_XDIST_WORKER"], file=seen)
"""


def test_two_workers_split_no_group(tmp_path: Path) -> None:
    api, other = tmp_path / "tests" / "app" / "api", tmp_path / "tests" / "other"
    for folder in (api, other):
        folder.mkdir(parents=True)
    groups = defaultdict(set)
    for folder, number in [(folder, number) for folder in (api, other) for number in range(4)]:
        name = "api" if folder == api else f"other{number}"
        text = TESTS.format(count=number + 5, name=name)
        (folder / f"test_{name}_{number}.py").write_text(text)
    seen = tmp_path / "seen"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "xdist", "-p", "tests.scheduling"]
    # in the folder of this session it would change the permissions of those above it
    places = ["--rootdir", tmp_path, "--basetemp", tmp_path / "temporary"]
    variables = {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_ADDOPTS": "",
        "PYTHONPATH": str(ROOT),
        "SEEN": str(seen),
    }
    done = subprocess.run(
        [*command, "-n", "2", "--dist", "loadgroup", *places, "."],
        cwd=tmp_path,
        env=os.environ | variables,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for line in seen.read_text().splitlines():
        group, worker = line.split()
        groups[group].add(worker)
    assert set(groups) == {"api", *(f"other{number}" for number in range(4))}
    assert all(len(workers) == 1 for workers in groups.values()), groups
    assert set.union(*groups.values()) == {"gw0", "gw1"}, "both workers have work"


def test_what_is_named_is_there() -> None:
    for name in (*TOGETHER, *VLLM, *LONG):
        assert name == "vllm" or (ROOT / name).exists(), name


def test_long_groups_come_first_then_small_ones() -> None:
    groups = {"tests/query/test_a.py": 90, "tests/query/test_b.py": 2, LONG[1]: 40, LONG[0]: 5}
    assert sorted(groups, key=lambda name: turn(name, groups[name])) == [
        LONG[0], LONG[1], "tests/query/test_b.py", "tests/query/test_a.py",
    ]  # fmt: skip
    assert group_of("tests/app/api/test_ask.py::test_it[a@b::c]") == "tests/app/api"
    assert group_of("tests/app/api/test_vllm.py::test_it") == "vllm"
    assert group_of("tests/app/test_cli.py::test_it") == "tests/app/test_cli.py"
