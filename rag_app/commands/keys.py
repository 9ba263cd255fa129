"""``ragline keys``."""

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag_app.output import AsJson, print_json, print_table

if TYPE_CHECKING:
    from rag_assets.service_records.keys import ApiKey

app = typer.Typer(help="API keys of the service.", no_args_is_help=True)

_UNITS = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_DURATION = re.compile(r"(\d{1,6})([mhdw])")
_MOST_DAYS = 3650


@app.command("create")
def create(
    name: Annotated[str, typer.Option("--name", help="What the key is for; it names it in lists.")],
    groups: Annotated[
        str, typer.Option("--groups", help="Groups whose documents it reads, separated by commas.")
    ] = "",
    scopes: Annotated[
        str,
        typer.Option(
            "--scopes", help="read, feedback, upload, releases, forget, admin; separated by commas."
        ),
    ] = "read,feedback",
    expires_in: Annotated[
        str, typer.Option("--expires-in", help="e.g. 12h, 90d, 8w; 'never' is possible.")
    ] = "90d",
    as_json: AsJson = False,
) -> None:
    """Make a key. It is shown once: what is kept is only its hash."""
    from rag_app.access.keys import make_key
    from rag_app.access.principal import known_scopes
    from rag_assets.platform.errors import ConfigurationError
    from rag_assets.platform.platform import Platform
    from rag_assets.service_records.keys import ApiKeys

    wanted = known_scopes(scopes.split(","))
    if not wanted:
        raise ConfigurationError("A key without scopes can do nothing.", "Give --scopes some.")
    label = _checked_name(name)
    platform = Platform.load()
    made = make_key(label, _names(groups), wanted, _duration(expires_in))
    # first the record: a key that nobody could account for must not exist
    _record(
        platform,
        "key.create",
        made.key.key_id,
        {"scopes": list(made.key.scopes), "groups": list(made.key.groups)},
    )
    ApiKeys(platform.database).add(made.key)
    if as_json:
        print_json({"key": made.text, **_shown(made.key)})
        return
    typer.echo(made.text)
    typer.echo("Keep it now: it cannot be shown again.", err=True)
    if not platform.settings.auth.enabled:
        typer.echo("Note: auth.enabled is off, so that nobody is asked for a key yet.", err=True)


@app.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List the keys, without their secrets."""
    from rag_assets.platform.platform import Platform
    from rag_assets.service_records.keys import ApiKeys

    keys = ApiKeys(Platform.load().database).all()
    if as_json:
        print_json([_shown(key) for key in keys])
        return
    columns = ["id", "name", "state", "scopes", "groups", "created", "expires", "last used"]
    now = datetime.now(UTC)
    rows = [
        (
            key.key_id,
            key.name,
            key.state(now),
            ", ".join(key.scopes),
            ", ".join(key.groups),
            _minute(key.created_at),
            _minute(key.expires_at) or "never",
            _minute(key.last_used_at) or "never",
        )
        for key in keys
    ]
    print_table("API keys", columns, rows)


@app.command("revoke")
def revoke(
    key: Annotated[str, typer.Argument(help="The id of a key, its name, or the key itself.")],
    as_json: AsJson = False,
) -> None:
    """End a key for ever; running services refuse it within auth.key_cache_seconds."""
    from rag_app.access.keys import PREFIX
    from rag_assets.platform.errors import ConfigurationError
    from rag_assets.platform.platform import Platform
    from rag_assets.service_records.keys import ApiKeys

    platform = Platform.load()
    keys = ApiKeys(platform.database)
    found = keys.named(key.removeprefix(PREFIX).partition("_")[0] if _is_text(key) else key)
    if not found:
        raise ConfigurationError("There is no such key.", "'ragline keys list' shows them.")
    if len(found) > 1:
        ids = ", ".join(item.key_id for item in found)
        raise ConfigurationError(
            f"{len(found)} keys have that name ({ids}).", "Name one by its id."
        )
    # first the end of the key, whatever happens to the record of it
    changed = keys.revoke(found[0].key_id)
    if changed:
        _record(platform, "key.revoke", found[0].key_id, {})
    ended = keys.get(found[0].key_id)
    assert ended is not None
    if as_json:
        print_json({**_shown(ended), "changed": changed})
        return
    word = "revoked" if changed else "was revoked before"
    typer.echo(f"{ended.key_id} ({ended.name}) {word}")


def _shown(key: "ApiKey") -> dict[str, Any]:
    """A key as JSON: nothing of its secret, not even the hash."""
    return {
        "key_id": key.key_id,
        "name": key.name,
        "state": key.state(datetime.now(UTC)),
        "scopes": list(key.scopes),
        "groups": list(key.groups),
        "created_at": _iso(key.created_at),
        "expires_at": _iso(key.expires_at),
        "revoked_at": _iso(key.revoked_at),
        "last_used_at": _iso(key.last_used_at),
    }


def _record(platform: Any, action: str, target: str, details: dict[str, Any]) -> None:
    import getpass

    from rag_assets.service_records.audit import AuditEntry, AuditLog

    entry = AuditEntry(f"cli:{getpass.getuser()}", action, target, "ok", details=details)
    AuditLog(platform.database).append([entry])


def _is_text(key: str) -> bool:
    """Whether somebody gave the key itself, secret and all."""
    from rag_app.access.keys import is_key

    return is_key(key) and key.count("_") == 2


def _checked_name(name: str) -> str:
    from rag_assets.platform.errors import ConfigurationError

    name = " ".join(name.split())
    if not name or len(name) > 200 or not name.isprintable():
        raise ConfigurationError(
            "A key needs a name of 1 to 200 printable characters.", "Say what it is for."
        )
    return name


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _duration(text: str) -> timedelta | None:
    from rag_assets.platform.errors import ConfigurationError

    if text.strip() == "never":
        return None
    match = _DURATION.fullmatch(text.strip())
    seconds = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 0 < seconds <= _MOST_DAYS * 86_400:
        raise ConfigurationError(
            f"--expires-in '{text}' is no time that a key can live.",
            "Write it like 30m, 12h, 90d or 8w, or 'never'.",
        )
    return timedelta(seconds=seconds)


def _minute(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
