"""A machine that writes: it edits, builds, releases and rolls back, and tells what came of it.

``python -m tests.releases.machine.writer MODE NAME ROUNDS DOCUMENTS`` takes everything else from
the settings; it starts when a line comes in, and writes one line of JSON for each thing it tried.
"""

import json
import random
import sys
from pathlib import Path

from rag_assets.platform.errors import RaglineError
from rag_assets.platform.platform import Platform
from rag_assets.platform.stage import StageRun
from rag_assets.releases.candidate import release_candidate
from rag_assets.releases.operations import promote_release, roll_back
from rag_assets.releases.registry import Registry
from rag_jobs.ingest import ingest
from rag_jobs.pending import STAGES, find_pending
from tests.jobs.harness import RUNNERS

WAIT = 900


def main() -> None:
    mode, name, rounds, documents = sys.argv[1:5]
    platform = Platform.load()
    chance = random.Random(name)
    find_pending(platform)  # what takes long the first time is done before the start
    _tell("ready", "")
    sys.stdin.readline()
    for number in range(int(rounds)):
        edit(Path(documents), name, number, chance)
        steps = {"ingest": [_ingest], "stages": [_build, _release]}[mode]
        if mode == "stages" and number % 3 == 2:
            steps = [*steps, chance.choice([_roll_back, _promote])]
        for step in steps:
            try:
                _tell(step.__name__.strip("_"), step(platform))
            except RaglineError as error:
                _tell(type(error).__name__, str(error))


def edit(documents: Path, name: str, number: int, chance: random.Random) -> None:
    """Change a document of its own, and one that every writer changes."""
    for target in (f"{name}-{number % 3}.md", "everyone.md"):
        lines = [
            f"Line {line} of {target}: {name} counted {chance.randrange(4)} boats in round {number}."
            for line in range(chance.randrange(1, 4))
        ]
        temporary = documents / f".{name}"
        temporary.write_text("\n\n".join(lines))
        temporary.replace(documents / target)


def _ingest(platform: Platform) -> str:
    summary = ingest(platform)
    return json.dumps([summary.released, summary.failed, summary.unavailable])


def _build(platform: Platform) -> str:
    """Every stage under the lock of its shard, as the assets run them."""
    for shard in find_pending(platform).work:
        for stage in STAGES:
            doing = f"{stage} of {shard.partition}"
            with platform.lock(f"shard-{shard.partition}", doing=doing, timeout=WAIT):
                RUNNERS[stage](StageRun(platform, shard.partition, "writer"))
    return ""


def _release(platform: Platform) -> str:
    promotion = release_candidate(platform, "writer")
    return f"{promotion.release.id} {promotion.release.status} {promotion.release.reason}"


def _roll_back(platform: Platform) -> str:
    return str(roll_back(platform, reason="by a writer").id)


def _promote(platform: Platform) -> str:
    found = [item.id for item in Registry(platform.database).all() if item.status == "retired"]
    return str(promote_release(platform, found[0]).id) if found else ""


def _tell(what: str, outcome: str) -> None:
    print(json.dumps({"what": what, "outcome": outcome}), flush=True)


if __name__ == "__main__":
    main()
