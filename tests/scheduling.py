"""Which tests one of several workers runs together, and in what order the workers take them.

The tests of a file share what takes long to make (a deployment, servers), and some go on from where
the one before has ended. pytest-xdist's own ``loadgroup`` finds its groups in the names of tests,
where pytest 9.2 does not let it write them any more: it then deals out single tests, silently. Here
the group follows from the path alone.
"""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import Scheduling
    from xdist.workermanage import WorkerController

# folders whose files share a deployment
TOGETHER = (
    "tests/app/api",
    "tests/app/faults",
    "tests/evals/answer_evaluation",
    "tests/evals/evaluation_dashboard",
    "tests/evals/regressions",
)
# one vLLM serves all that ask it
VLLM = (
    "tests/app/api/test_vllm.py",
    "tests/evals/golden_questions/test_synthetic.py",
    "tests/evals/judges/test_vllm.py",
    "tests/query/answerers/test_vllm.py",
)
# minutes each: begun last, one of them would keep its worker when the other has nothing left
LONG = (
    "tests/jobs/sensors/test_daemon.py",
    "tests/docker/test_stack.py",
    "tests/app/api",
    "vllm",
    "tests/jobs/backfills/test_backfills.py",
    "tests/jobs/instance/test_executors.py",
    "tests/jobs/instance/test_killed_runs.py",
    "tests/jobs/instance/test_postgres.py",
    "tests/jobs/instance/test_kubernetes.py",
)


def group_of(nodeid: str) -> str:
    """The group of a test, by its id."""
    path = nodeid.split("::", 1)[0]
    if path in VLLM:
        return "vllm"
    folder = path.rpartition("/")[0]
    return folder if folder in TOGETHER else path


def turn(group: str, tests: int) -> tuple[int, int, str]:
    """When a group's turn comes: first the long ones, then those of few tests, which are long too."""
    return (LONG.index(group) if group in LONG else len(LONG)), tests, group


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: "Producer") -> "Scheduling | None":
    """Deal out groups where ``--dist loadgroup`` is asked for."""
    if config.getoption("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class GroupScheduling(LoadScopeScheduling):
        """Gives every worker whole groups."""

        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

        def _assign_work_unit(self, node: "WorkerController") -> None:
            queue = self.workqueue
            queue.move_to_end(min(queue, key=lambda name: turn(name, len(queue[name]))), last=False)
            super()._assign_work_unit(node)

    return GroupScheduling(config, log)
