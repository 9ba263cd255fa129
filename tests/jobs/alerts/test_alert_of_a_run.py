"""What is said of a failed run, and when nothing is said; the command that tries the channels."""

from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance, DagsterRunStatus
from dagster._core.test_utils import create_run_for_test

from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import AlertSettings, Settings
from rag_jobs.sensors.run_failure import alert_of, tell_of
from tests.app.commands import ragline
from tests.jobs.alerts.receivers import HttpReceiver, http_receiver


@dg.op
def refuses() -> None:
    raise dg.Failure(description="The source 'docs' is out of reach. Mount it.")


@dg.job(name="failing")
def refusing() -> None:
    refuses()


@dg.job(name="failing")
def succeeding() -> None:
    pass


def run_of(instance: DagsterInstance, job: dg.JobDefinition) -> str:
    done = job.execute_in_process(
        instance=instance, raise_on_error=False, tags={"dagster/partition": "docs"}
    )
    return done.run_id


def test_what_was_written_for_people_is_told(tmp_path: Path) -> None:
    with DagsterInstance.local_temp(str(tmp_path)) as instance:
        run = instance.get_run_by_id(run_of(instance, refusing))
        assert run is not None
        platform = Platform(Settings(home=str(tmp_path / "home")))
        alert = alert_of(platform, instance, run)
        assert alert.text == "refuses: The source 'docs' is out of reach. Mount it."
        # after a success the same failure is news again
        run_of(instance, succeeding)
        again = instance.get_run_by_id(run_of(instance, refusing))
        assert again is not None
        assert alert_of(platform, instance, again).key != alert.key


def test_a_run_that_is_started_again_is_not_told(tmp_path: Path) -> None:
    with http_receiver() as received, DagsterInstance.local_temp(str(tmp_path)) as instance:
        platform = platform_with(tmp_path, received)
        tags = {"dagster/will_retry": "true"}
        run = create_run_for_test(instance, status=DagsterRunStatus.FAILURE, tags=tags)
        assert "started again" in tell_of(platform, instance, run)
        assert received.bodies == []
        last = create_run_for_test(instance, status=DagsterRunStatus.FAILURE)
        assert "webhook sent" in tell_of(platform, instance, last)
        assert len(received.bodies) == 1


def platform_with(folder: Path, received: HttpReceiver) -> Platform:
    alerts = AlertSettings.model_validate({"webhook_url": received.url})
    return Platform(Settings(home=str(folder / "home"), alerts=alerts))


def test_the_command_tries_every_channel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_HOME", str(tmp_path / "home"))
    none = ragline("alerts", "test", "--json", folder=tmp_path)
    assert none.code == 1
    assert none.json["error"]["type"] == "ConfigurationError"
    with http_receiver() as received:
        monkeypatch.setenv("RAG_ALERTS__WEBHOOK_URL", received.url)
        done = ragline("alerts", "test", "--json", folder=tmp_path)
        assert done.code == 0, done.errors
        assert done.json == {
            "ok": True,
            "deliveries": [{"channel": "webhook", "status": "sent", "reason": ""}],
        }
        assert received.alerts[0]["kind"] == "test"
        received.replies = [404]
        failed = ragline("alerts", "test", folder=tmp_path)
        assert failed.code == 1
        assert "HTTP status 404" in failed.output
        assert received.url not in failed.output + failed.errors
