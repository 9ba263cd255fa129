"""What the UI asks about backfills, in its own GraphQL."""

import time
from typing import Any

from tests.jobs.webserver import Webserver

LOOK_SECONDS = 1.5
LAUNCH = """
mutation Launch($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""
RETRY = """
mutation Retry($params: ReexecutionParams) {
  reexecutePartitionBackfill(reexecutionParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""
STATUS = """
query Status($id: String!) {
  partitionBackfillOrError(backfillId: $id) {
    __typename
    ... on PartitionBackfill {
      status
      runs { runId status tags { key value } }
      assetBackfillData {
        assetBackfillStatuses {
          ... on AssetPartitionsStatusCounts {
            assetKey { path }
            numPartitionsTargeted
            numPartitionsInProgress
            numPartitionsMaterialized
            numPartitionsFailed
          }
        }
      }
    }
    ... on PythonError { message }
  }
}
"""
BRIEFLY = """
query Briefly($id: String!) {
  partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } }
}
"""
SENSORS = """
query Sensors {
  repositoriesOrError {
    ... on RepositoryConnection {
      nodes { name location { name } sensors { name sensorState { id } } }
    }
  }
}
"""
STOP = """
mutation Stop($id: String) {
  stopSensor(id: $id) { ... on StopSensorMutationResult { instigationState { status } } }
}
"""
START = """
mutation Start($selector: SensorSelector!) {
  startSensor(sensorSelector: $selector) { ... on Sensor { sensorState { status } } }
}
"""
PARTITIONS = """
query Partitions($asset: AssetKeyInput!) {
  assetNodeOrError(assetKey: $asset) {
    ... on AssetNode {
      assetPartitionStatuses {
        ... on DefaultPartitionStatuses {
          materializedPartitions
          failedPartitions
          unmaterializedPartitions
        }
        ... on TimePartitionStatuses { ranges { startKey endKey status } }
      }
    }
  }
}
"""


class Backfills:
    """Backfills, started and looked at as the UI does."""

    def __init__(self, server: Webserver) -> None:
        self._server = server

    def launch(self, assets: list[str], partitions: list[str]) -> str:
        """Start a backfill of some partitions of assets; its id."""
        params = {
            "assetSelection": [{"path": [name]} for name in assets],
            "partitionNames": partitions,
        }
        return _started(self._server.ask(LAUNCH, params=params)["launchPartitionBackfill"])

    def retry(self, backfill_id: str) -> str:
        """Start a backfill of what failed in another; its id."""
        params = {"parentRunId": backfill_id, "strategy": "FROM_FAILURE"}
        return _started(self._server.ask(RETRY, params=params)["reexecutePartitionBackfill"])

    def status(self, backfill_id: str) -> dict[str, Any]:
        """How it is going."""
        found: dict[str, Any] = self._server.ask(STATUS, id=backfill_id)["partitionBackfillOrError"]
        assert found["__typename"] == "PartitionBackfill", found
        return found

    def ended(self, backfill_id: str) -> dict[str, Any] | None:
        """How it went, once it has ended; it takes a moment between two looks."""
        status = self._server.ask(BRIEFLY, id=backfill_id)["partitionBackfillOrError"]["status"]
        if status.startswith(("COMPLETED", "FAILED", "CANCELED")):
            return self.status(backfill_id)
        time.sleep(LOOK_SECONDS)
        return None

    def stop_sensor(self, name: str) -> None:
        """What the switch beside a sensor does."""
        (found,) = [
            sensor["sensorState"]["id"]
            for repository in self._server.ask(SENSORS)["repositoriesOrError"]["nodes"]
            for sensor in repository["sensors"]
            if sensor["name"] == name
        ]
        state = self._server.ask(STOP, id=found)["stopSensor"]["instigationState"]
        assert state["status"] == "STOPPED"

    def start_sensor(self, name: str) -> None:
        """What the same switch does then."""
        (repository,) = self._server.ask(SENSORS)["repositoriesOrError"]["nodes"]
        selector = {
            "repositoryName": repository["name"],
            "repositoryLocationName": repository["location"]["name"],
            "sensorName": name,
        }
        state = self._server.ask(START, selector=selector)["startSensor"]["sensorState"]
        assert state["status"] == "RUNNING"

    def counts(self, status: dict[str, Any]) -> dict[str, dict[str, int]]:
        """The bars of progress by asset."""
        return {
            item["assetKey"]["path"][0]: {
                "targeted": item["numPartitionsTargeted"],
                "materialized": item["numPartitionsMaterialized"],
                "failed": item["numPartitionsFailed"],
                "running": item["numPartitionsInProgress"],
            }
            for item in status["assetBackfillData"]["assetBackfillStatuses"]
        }

    def partitions(self, asset: str) -> dict[str, Any]:
        """The partitions of an asset as its page shows them: keys, or ranges of days."""
        node = self._server.ask(PARTITIONS, asset={"path": [asset]})["assetNodeOrError"]
        found: dict[str, Any] = node["assetPartitionStatuses"]
        return found


def _started(result: dict[str, Any]) -> str:
    assert result["__typename"] == "LaunchBackfillSuccess", result
    backfill_id: str = result["backfillId"]
    return backfill_id
