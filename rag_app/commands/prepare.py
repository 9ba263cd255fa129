"""``ragline prepare`` and ``ragline exec``: for containers, whose processes start one by one."""

from pathlib import Path
from typing import Annotated

import typer

from rag_app.output import AsJson, print_json


def prepare(
    models: Annotated[
        Path | None,
        typer.Option(
            "--models", help="A folder of models exported before, e.g. when the image was made."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make what all processes share: database schemas, DAGSTER_HOME, the exported model.

    Run it once before they start, also after an upgrade. What is there already is left alone.
    """
    from rag_assets.encoders import make_encoder
    from rag_assets.encoders.exported import adopt_exported
    from rag_assets.platform.database import current_revision
    from rag_assets.platform.platform import Platform
    from rag_jobs.instance import open_instance

    platform = Platform.load()
    adopted = adopt_exported(models, platform.state_path) if models else []
    revision = current_revision(platform.database)
    # the first process that opens Dagster's storage makes its tables: one of several would fail
    with open_instance(platform.settings) as instance:
        home = Path(instance.root_directory)
    encoder = make_encoder(platform.settings.encoder, platform.state_path)
    encoder.prepare()
    facts = {
        "database": platform.database.url.render_as_string(hide_password=True),
        "schema": revision,
        "deployment": platform.deployment_id,
        "dagster_home": str(home),
        "encoder": encoder.name,
        "adopted_models": adopted,
    }
    if as_json:
        print_json(facts)
        return
    for name, value in facts.items():
        typer.echo(f"{name}: {', '.join(value) if isinstance(value, list) else value}")


def execute(context: typer.Context) -> None:
    """Run a program of Dagster in this deployment, e.g. 'ragline exec dagster-daemon run'.

    It gets the deployment's DAGSTER_HOME and the address of Dagster's database, and takes this
    process's place.
    """
    import os
    import shutil
    import sys

    from rag_assets.platform.errors import ConfigurationError
    from rag_assets.platform.settings import load_settings
    from rag_jobs.instance import prepare_dagster_home

    if not context.args:
        raise ConfigurationError(
            "There is no program to run.", "Name one: ragline exec dagster-daemon run."
        )
    name, *arguments = context.args
    # the programs of this installation come before others of the same name
    search = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    program = shutil.which(name, path=search)
    if program is None:
        raise ConfigurationError(
            f"There is no program '{name}'.", "Name one of Dagster's, e.g. dagster-webserver."
        )
    prepare_dagster_home(load_settings())
    os.environ["PATH"] = search  # dagster-celery looks for celery there
    sys.stdout.flush()
    os.execv(program, [program, *arguments])
