"""The supervisor, with small real processes."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

import psutil
import pytest

from rag_app.supervision import service as service_of_supervisor
from rag_app.supervision import supervisor as supervision
from rag_app.supervision.health import answers, daemons_beat, takes_connections
from rag_app.supervision.service import Service
from rag_app.supervision.supervisor import ServiceFailed, Supervisor

SECONDS = 60.0
# says that it is up, starts a child of its own, and goes on until it is told to end
WORKS = """
import pathlib, signal, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
while True:
    time.sleep(0.05)
"""
DEAF = WORKS.replace("lambda *_: sys.exit(0)", "signal.SIG_IGN")


def service(folder: Path, name: str, code: str = WORKS, needs: tuple[str, ...] = ()) -> Service:
    mark = folder / f"{name}.up"
    command = (sys.executable, "-c", code, str(mark))
    return Service(name, command, mark.exists, folder / "logs" / f"{name}.log", needs)


def wait_for(look: Callable[[], object], what: str, seconds: float = SECONDS) -> None:
    limit = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < limit, f"not seen: {what}"
        time.sleep(0.05)


def lives(process: psutil.Process) -> bool:
    """Whether it still runs; one that nobody has reaped yet does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def run(services: list[Service], seen: Callable[[], None], patience: float = 30.0) -> list[str]:
    """Run until ``seen`` comes back once everything is up; gives what people were told."""
    stop, told = Event(), list[str]()
    failed: list[BaseException] = []

    def watch() -> None:
        try:
            seen()
        except BaseException as error:
            failed.append(error)
        finally:
            stop.set()

    Supervisor(services, told.append, stop, patience).run(lambda: Thread(target=watch).start())
    if failed:
        raise failed[0]
    return told


def child_of(folder: Path, name: str) -> psutil.Process:
    return psutil.Process(int((folder / f"{name}.up").read_text()))


def gone(folder: Path, name: str) -> bool:
    """Whether the child that a service started has ended."""
    pid = int((folder / f"{name}.up").read_text())
    return not psutil.pid_exists(pid) or not lives(psutil.Process(pid))


def test_all_are_started_in_order_and_ended_with_their_children(tmp_path: Path) -> None:
    services = [service(tmp_path, "second", needs=("first",)), service(tmp_path, "first")]
    found: list[psutil.Process] = []

    def seen() -> None:
        for name in ("first", "second"):
            found.append(child_of(tmp_path, name))
            found.append(found[-1].parent())  # type: ignore[arg-type]

    assert run(services, seen) == []
    assert len(found) == 4
    assert not any(map(lives, found))
    first, second = ((tmp_path / f"{name}.up").stat().st_mtime for name in ("first", "second"))
    assert first < second


def test_one_that_dies_is_started_again(tmp_path: Path) -> None:
    def seen() -> None:
        before = child_of(tmp_path, "one")
        parent = before.parent()
        assert parent is not None
        (tmp_path / "one.up").unlink()
        parent.kill()
        wait_for((tmp_path / "one.up").exists, "a new one")
        wait_for(lambda: not lives(before), "the end of the old one's child")

    (told,) = run([service(tmp_path, "one")], seen)
    assert told.startswith("The one ended with -9 and is started again in 1 s")


def test_one_that_does_not_come_up_ends_all_and_says_why(tmp_path: Path) -> None:
    before = psutil.Process().children()
    broken = service(tmp_path, "broken", "print('the port is taken'); raise SystemExit(3)")
    with pytest.raises(ServiceFailed, match="broken ended with 3 before it was up") as raised:
        run([service(tmp_path, "good"), broken], lambda: None)
    assert "the port is taken" in raised.value.hint
    after = psutil.Process().children()
    assert not [child for child in after if child not in before and lives(child)]


def test_one_that_dies_again_and_again_ends_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "FIRST_PAUSE", 0.01)
    dying = f"import time; open(__import__('sys').argv[1], 'w'); time.sleep({0.6})"
    with pytest.raises(ServiceFailed, match="died 5 times"):
        run([service(tmp_path, "dying", dying)], lambda: Event().wait(SECONDS) and None)


def test_one_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    (told,) = run([service(tmp_path, "deaf", DEAF)], lambda: None, patience=0.5)
    assert told == "The deaf did not end in time and was killed."
    assert gone(tmp_path, "deaf")


def test_no_log_grows_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_of_supervisor, "MOST_LOG_BYTES", 10_000)
    monkeypatch.setattr(supervision, "LOOK_SECONDS", 0.01)
    talks = """
import pathlib, sys, time
pathlib.Path(sys.argv[1]).touch()
for number in range(10_000_000):
    print(f"line {number}", flush=True)
    time.sleep(0.001)
"""
    one = service(tmp_path, "one", talks)
    older = one.log.with_name("one.log.1")

    def second_time() -> bool:
        """Whether it was begun anew, and again, with the process still writing."""
        return older.exists() and not older.read_text().startswith("line 0\n")

    run([one], lambda: wait_for(second_time, "a log that was begun anew twice"))
    assert older.stat().st_size > 10_000
    first = one.log.read_text().partition("\n")[0]
    assert int(first.removeprefix("line ")) > 1000


def test_nobody_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from threading import Event
from rag_app.supervision.service import Service
from rag_app.supervision.supervisor import Supervisor
mark = Path({str(tmp_path / "one.up")!r})
one = Service("one", (sys.executable, "-c", {WORKS!r}, str(mark)), mark.exists, mark.with_suffix(".log"))
Supervisor([one], print, Event(), 1.0).run(lambda: None)
"""
    process = subprocess.Popen([sys.executable, "-c", code])
    wait_for((tmp_path / "one.up").exists, "the service")
    served = child_of(tmp_path, "one").parent()
    assert served is not None
    process.kill()
    process.wait()
    wait_for(lambda: not lives(served), "the end of the service")
    child_of(tmp_path, "one").kill()  # a service ends its own children; this one is careless


def test_health_of_what_is_not_there_is_false(tmp_path: Path) -> None:
    assert not answers("http://127.0.0.1:9/healthz")
    assert not takes_connections(tmp_path / "none.sock")
    assert not daemons_beat("http://127.0.0.1:9", 0.0)
