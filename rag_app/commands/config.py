"""``ragline config``."""

from rag_app.output import AsJson, print_json, print_table


def config(as_json: AsJson = False) -> None:
    """Show the effective settings and where each came from; secrets are masked."""
    from rag_assets.platform.settings import config_path, load_settings, origins

    settings = load_settings()
    found = origins(settings)
    if as_json:
        print_json(
            {
                "file": str(config_path()),
                "home": settings.home_location,
                "settings": {
                    item.name: {"value": item.value, "from": item.source} for item in found
                },
            }
        )
        return
    print_table(
        f"Settings ({config_path()})",
        ["setting", "value", "from"],
        [(item.name, item.value, item.source) for item in found],
    )
