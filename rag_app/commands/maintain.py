"""``ragline maintain``."""

from rag_app.output import AsJson, print_json, print_table


def maintain(as_json: AsJson = False) -> None:
    """Retire old releases and runs, reclaim their space, keep the indices up to date."""
    from rag_app.progress import counting_bars
    from rag_assets.platform.platform import Platform
    from rag_jobs.maintain import maintain as run_maintain

    platform = Platform.load()
    try:
        with counting_bars(enabled=not as_json) as progress:
            done = run_maintain(platform, progress=progress)
    finally:
        platform.close()
    if as_json:
        print_json(done.to_dict())
        return
    rows = [
        ("releases that can no longer be read", ", ".join(map(str, done.releases)) or "none"),
        ("index tables dropped", ", ".join(done.tables) or "none"),
        ("index versions removed", done.versions),
        ("reclaimed from the index", _megabytes(done.index_bytes)),
        ("blobs removed", f"{done.blobs} ({_megabytes(done.blob_bytes)})"),
        ("tables of evaluations removed", done.evaluations),
        ("rows added to the indices", done.indexed),
        ("old runs removed from Dagster", f"{done.runs} ({_megabytes(done.run_bytes)})"),
        ("seconds", done.seconds),
    ]
    print_table("Maintenance", ["", ""], rows)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
