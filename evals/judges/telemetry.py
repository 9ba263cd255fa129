"""Libraries that report home or read files of the working folder are told not to, before their import."""

import os

OFF = {
    "RAGAS_DO_NOT_TRACK": "true",
    "DEEPEVAL_TELEMETRY_OPT_OUT": "1",
    # both put what they read into the environment of this process
    "DEEPEVAL_DISABLE_DOTENV": "1",
    "DEEPEVAL_DISABLE_LEGACY_KEYFILE": "1",
    "GX_ANALYTICS_ENABLED": "false",
}


def telemetry_off() -> None:
    """Switch telemetry and the reading of dotenv files off; a variable that is set stays as it is.

    Without it deepeval also makes a folder ``.deepeval`` where the process happens to run.
    """
    for name, value in OFF.items():
        os.environ.setdefault(name, value)
