"""The registry of releases against its own history and the tags of the index."""

import re
from collections import defaultdict

from rag_assets.platform.platform import Platform
from rag_assets.releases.history import WENT_LIVE, History
from rag_assets.releases.registry import Registry, Release

from .base import Findings, few

RELEASE_TAG = re.compile(r"release-\d+")


def check_live(platform: Platform, releases: list[Release], findings: Findings) -> None:
    """At most one release is live: the one that went live last."""
    live = [release.id for release in releases if release.status == "live"]
    went = [event for event in History(platform.database).events() if event.event in WENT_LIVE]
    last = went[-1].release_id if went else None
    findings.count("releases_registered", len(releases))
    if len(live) > 1:
        findings.add(
            "live_release", "registry", f"releases {few(list(map(str, live)))} are all live"
        )
    elif live and last is not None and live[0] != last:
        what = f"release {live[0]} is live, but release {last} went live last"
        findings.add("live_release", "registry", what)
    elif not live and last is not None:
        what = f"no release is live, although release {last} went live; promote one"
        findings.add("live_release", "registry", what)


def check_tags(platform: Platform, releases: list[Release], findings: Findings) -> None:
    """Every readable release has its tag at its version, and no other release has one."""
    tables: dict[str, list[Release]] = defaultdict(list)
    for release in releases:
        tables[release.table_name].append(release)
    for name in sorted({*tables, *index_tables(platform)}):
        tags = tags_of(platform, name)
        if tags is None:
            continue  # its releases cannot be opened, which is said of each
        findings.count("tags", len(tags))
        readable = {release.tag: release for release in tables[name] if release.readable}
        for tag, release in readable.items():
            _check_tag(release, tags.get(tag), findings)
        for tag in sorted(tags.keys() - readable.keys()):
            # a candidate is registered first and tagged next
            known = Registry(platform.database).get(int(tag.removeprefix("release-")))
            if known is None or not known.readable or known.table_name != name:
                what = f"the tag {tag} of {name} belongs to no release that can be read"
                findings.add("stray_tag", name, what, ids=(tag,))


def _check_tag(release: Release, version: int | None, findings: Findings) -> None:
    place = f"release {release.id}"
    if version is None:
        what = f"the tag {release.tag} of {release.table_name} is gone"
        findings.add("missing_tag", place, what, release_id=release.id)
    elif version != release.lance_version:
        what = (
            f"the tag {release.tag} of {release.table_name} names version {version}, the registry "
            f"{release.lance_version}"
        )
        findings.add("wrong_tag", place, what, release_id=release.id)


def index_tables(platform: Platform) -> list[str]:
    """The names of the LanceDB tables that are stored."""
    prefix = "lancedb/"
    found = (key.removeprefix(prefix).split("/")[0] for key in platform.storage.list(prefix))
    return sorted({name.removesuffix(".lance") for name in found if name.endswith(".lance")})


def tags_of(platform: Platform, table: str) -> dict[str, int] | None:
    """The release tags of a table and their versions; None where the table cannot be opened."""
    import lance

    try:
        uri = f"{platform.lancedb_uri}/{table}.lance"
        dataset = lance.dataset(uri, storage_options=platform.storage_options or None)
        tags = dataset.tags.list()
    except (OSError, ValueError, RuntimeError):
        return None
    return {name: int(tag["version"]) for name, tag in tags.items() if RELEASE_TAG.fullmatch(name)}
