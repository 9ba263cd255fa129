"""DAGSTER_HOME of a deployment, and the instance that lives there."""

import os
import shutil
from pathlib import Path

from dagster import DagsterInstance

from rag_assets.platform.settings import Settings


def prepare_dagster_home(settings: Settings) -> Path:
    """Make DAGSTER_HOME with its ``dagster.yaml`` and point this process at it."""
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    target = home / "dagster.yaml"
    if not target.exists():
        temporary = target.with_suffix(".writing")
        shutil.copyfile(Path(__file__).parent.with_name("dagster.yaml"), temporary)
        temporary.replace(target)
    os.environ["DAGSTER_HOME"] = str(home)
    return home


def open_instance(settings: Settings) -> DagsterInstance:
    """The instance that records runs, events and partitions."""
    prepare_dagster_home(settings)
    return DagsterInstance.get()
