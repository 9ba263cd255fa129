"""What a channel sends: a Jinja template ``<channel>.jinja``, ours or the deployment's.

Templates see ``alert``, ``deployment`` and ``at``; the filters ``tojson`` and ``slack`` make text
safe for JSON and for Slack's markup. The first line of ``email.jinja`` is the subject.
"""

from datetime import datetime
from pathlib import Path
from typing import Any

from rag_assets.platform.errors import ConfigurationError

from .alert import MAX_TEXT, MAX_VALUE, Alert, shortened

OURS = Path(__file__).with_name("templates")


def render(channel: str, alert: Alert, deployment: str, at: datetime, folder: str = "") -> str:
    """Fill in the template of a channel.

    Args:
        channel: its name.
        alert: what is said.
        deployment: which deployment says it.
        at: when.
        folder: of templates that win over ours.

    Raises:
        ConfigurationError: the template is broken.
    """
    from jinja2 import FileSystemLoader, StrictUndefined, TemplateError
    from jinja2.sandbox import SandboxedEnvironment

    if folder and not Path(folder).is_dir():
        raise ConfigurationError(
            f"The folder of alert templates, {folder}, does not exist.",
            "Create it or correct alerts.templates_path.",
        )
    folders = [Path(folder), OURS] if folder else [OURS]
    environment = SandboxedEnvironment(
        loader=FileSystemLoader(folders),
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["slack"] = escape_slack
    # plain JSON: Jinja's own filter escapes for HTML
    environment.filters["tojson"] = _json
    values = {"alert": _plain(alert), "deployment": deployment, "at": at.isoformat()}
    try:
        return environment.get_template(f"{channel}.jinja").render(values)
    except (
        *(TemplateError, TypeError, ValueError, ArithmeticError, LookupError),
        *(AttributeError, OSError),
    ) as error:
        raise ConfigurationError(
            f"The alert template {channel}.jinja of {folder or 'Ragline'} is broken: "
            f"{type(error).__name__}: {error}.",
            "Correct it, or remove it to use ours; 'ragline alerts test' tries it.",
        ) from error


def escape_slack(text: object) -> str:
    """Text that Slack shows as it is: nobody is mentioned and no link is made by it."""
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _json(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)


def _plain(alert: Alert) -> dict[str, Any]:
    """The alert in plain values, cut to a length that every channel takes."""
    return {
        "kind": alert.kind,
        "severity": alert.severity,
        "title": shortened(" ".join(alert.title.split()), MAX_VALUE),
        "text": shortened(alert.text, MAX_TEXT),
        "key": alert.key,
        "fields": {
            name: shortened(value, MAX_VALUE) if isinstance(value, str) else value
            for name, value in alert.fields.items()
        },
        "links": dict(alert.links),
    }
