"""What a plan says is what the ingest then does."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from rag_assets.encoders import make_encoder
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import (
    ChunkingSettings,
    CostSettings,
    EncoderSettings,
    PriceSettings,
    Settings,
    SourceSettings,
)
from rag_assets.platform.stage import StageOutcome, StageRun
from rag_assets.releases.candidate import release_candidate
from rag_jobs.pending import STAGES, find_pending
from rag_jobs.planning import shard as plan_shard
from rag_jobs.planning.plan import Plan, plan_work
from tests.encoders.embeddings_server import KEY, EmbeddingsServer

from .harness import RUNNERS, build_index, run_stages

# the disk of a plan is right within this factor
DISK_FACTOR = 3.0
WRITTEN = ("tables", "lancedb")
TOPICS = ("boiler", "garden", "roof", "cellar", "lift", "kitchen", "archive", "gate", "parking")


def page(topic: str, sections: int = 5) -> str:
    """A document with passages of its own."""
    parts = [f"# The {topic}\n"]
    for number in range(sections):
        parts.append(
            f"## {topic.title()} rule {number}\n\n"
            + " ".join(
                f"Sentence {item} of rule {number} says who looks after the {topic} in week {item}."
                for item in range(12)
            )
            + "\n"
        )
    return "\n".join(parts)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Path:
    """A deployment with nine documents and one release."""
    made = tmp_path_factory.mktemp("plan") / "released"
    home = made / "home"
    home.mkdir(parents=True)
    model_cache.mkdir(parents=True, exist_ok=True)
    (home / "models").symlink_to(model_cache, target_is_directory=True)
    (made / "documents").mkdir()
    for topic in TOPICS:
        (made / "documents" / f"{topic}.md").write_text(page(topic))
    run_stages(deployment(made))
    return made


@pytest.fixture
def folder(released: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed; its files are other files, which the manifest has to learn."""
    copy = Path(shutil.copytree(released, tmp_path / "copy", symlinks=True))
    run_stages(deployment(copy))
    return copy


def deployment(folder: Path, **sections: Any) -> Platform:
    """The deployment in a folder, with some sections of its own."""
    shards = sections.pop("shards", 1)
    source = SourceSettings(path=str(folder / "documents"), shards=shards)
    return Platform(Settings(home=str(folder / "home"), sources={"docs": source}, **sections))


def ingested(platform: Platform, *, full: bool = False) -> dict[str, dict[str, StageOutcome]]:
    """Do it, and release it."""
    if not full:
        done = build_index(platform, "ingest")
    else:
        done = {}
        for shard in find_pending(platform).shards:
            run = StageRun(platform, shard.partition, "ingest", full=True)
            done[shard.partition] = {stage: RUNNERS[stage](run) for stage in STAGES}
    if done:
        release_candidate(platform, "ingest")
    return done


def did(done: dict[str, dict[str, StageOutcome]]) -> dict[str, int]:
    """What the stages report, in the words of a plan."""
    facts = [
        {"stage": stage, **item.facts} for shard in done.values() for stage, item in shard.items()
    ]

    def total(stage: str, name: str) -> int:
        return sum(fact[name] for fact in facts if fact["stage"] == stage)

    return {
        "parse": total("parsed_documents", "parsed"),
        "reuse": total("parsed_documents", "renamed_reused"),
        "split": total("chunks", "documents_chunked"),
        "chunks": total("chunks", "chunks"),
        "embed": total("embeddings", "embedded"),
        "cache_hits": total("embeddings", "embedding_cache_hits"),
        "tokens": total("embeddings", "tokens"),
    }


def planned(plan: Plan) -> dict[str, int]:
    names = ("parse", "reuse", "split", "chunks", "embed", "cache_hits", "tokens")
    return {name: plan.total(name) for name in names}


def plan_and_do(platform: Platform, *, full: bool = False) -> tuple[Plan, dict[str, int], int]:
    """The plan, what was then done, and the bytes by which the tables and the index grew."""
    before = size(platform)
    written = contents(platform)
    plan = plan_work(platform, find_pending(platform), full=full)
    assert contents(platform) == written, "a plan writes nothing"
    done = did(ingested(platform, full=full))
    return plan, done, size(platform) - before


def contents(platform: Platform) -> dict[str, bytes]:
    """Every file that an ingest may write."""
    return {str(path): path.read_bytes() for path in files(platform, "blobs", *WRITTEN)}


def files(platform: Platform, *folders: str) -> list[Path]:
    found = (path for name in folders for path in (platform.state_path / name).rglob("*"))
    return [path for path in found if path.is_file()]


def size(platform: Platform) -> int:
    return sum(path.stat().st_size for path in files(platform, *WRITTEN))


def edit(folder: Path) -> None:
    path = folder / "documents" / "boiler.md"
    path.write_text(path.read_text().replace("week 3", "week thirty") + "\nA new last line.\n")


def rename(folder: Path) -> None:
    (folder / "documents" / "roof.md").rename(folder / "documents" / "the-roof.md")


def add_and_delete(folder: Path) -> None:
    (folder / "documents" / "pool.md").write_text(page("pool", 3))
    (folder / "documents" / "copy.md").write_text(page("gate"))
    (folder / "documents" / "lift.md").unlink()
    (folder / "documents" / "broken.pdf").write_bytes(b"%PDF-1.4 broken")


@pytest.mark.parametrize("change", [edit, rename, add_and_delete])
def test_changed_documents(folder: Path, change: Callable[[Path], None]) -> None:
    change(folder)
    plan, done, _ = plan_and_do(deployment(folder))
    assert plan.exact
    assert planned(plan) == done
    assert not plan.disk.new_table
    if change is rename:
        assert done["reuse"] == 1
        assert done["parse"] == 0


def test_nothing_to_do(folder: Path) -> None:
    plan, done, grown = plan_and_do(deployment(folder))
    assert planned(plan) == done == dict.fromkeys(done, 0)
    assert plan.exact
    assert plan.shards == ()
    assert plan.time.seconds == plan.money.usd == plan.disk.total == grown == 0


def test_another_splitter_setting_and_back(folder: Path) -> None:
    other = {"chunking": ChunkingSettings(max_tokens=80)}
    plan, done, grown = plan_and_do(deployment(folder, **other))
    assert planned(plan) == done
    assert done["embed"] > 20
    assert plan.disk.new_table
    assert plan.disk.freed_later > 0
    assert plan.total("rows") == plan.total("chunks")
    assert grown / DISK_FACTOR < plan.disk.total < grown * DISK_FACTOR

    back, done, _ = plan_and_do(deployment(folder))
    assert planned(back) == done
    assert done["embed"] == done["tokens"] == 0
    assert done["cache_hits"] == back.total("texts") > 0


def test_everything_again(folder: Path) -> None:
    plan, done, _ = plan_and_do(deployment(folder), full=True)
    assert planned(plan) == done
    assert done["parse"] == done["split"] == len(TOPICS)
    assert done["embed"] == plan.total("texts") > 0


def test_other_shards_lend_their_vectors(folder: Path) -> None:
    plan, done, _ = plan_and_do(deployment(folder, shards=3))
    assert planned(plan) == done
    assert done["embed"] == 0
    assert len(plan.shards) == 4


@contextmanager
def hosted(platform: Platform) -> Iterator[dict[str, Any]]:
    """Settings of a real endpoint that has a price."""
    encoder = make_encoder(platform.settings.encoder, platform.state_path)
    server = EmbeddingsServer(encoder)
    with server.running():
        yield {
            "encoder": EncoderSettings(
                backend="openai",
                model="hosted",
                base_url=server.url,
                api_key=SecretStr(KEY),
                dimensions=encoder.dimensions,
            ),
            "cost": CostSettings(prices={"hosted": PriceSettings(prompt=20.0, completion=0.0)}),
        }


def test_another_encoder(folder: Path) -> None:
    assert plan_work(deployment(folder), find_pending(deployment(folder))).money.usd == 0
    with hosted(deployment(folder)) as sections:
        platform = deployment(folder, **sections)
        plan, done, grown = plan_and_do(platform)
    assert planned(plan) == done
    assert done["cache_hits"] == 0
    assert plan.disk.new_table
    assert grown / DISK_FACTOR < plan.disk.total < grown * DISK_FACTOR
    assert plan.money.usd == pytest.approx(done["tokens"] * 20 / 1_000_000)
    assert "hosted" in plan.money.why


def test_a_hosted_encoder_without_a_price(folder: Path) -> None:
    with hosted(deployment(folder)) as sections:
        platform = deployment(folder, encoder=sections["encoder"])
        money = plan_work(platform, find_pending(platform)).money
    assert money.usd == 0
    assert money.tokens > 0
    assert "no price" in money.why


def test_too_much_to_parse_is_estimated_and_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        (folder / "documents" / f"more-{number}.md").write_text(page(f"extension {number}"))
    monkeypatch.setattr(plan_shard, "PARSED_DOCUMENTS_AT_MOST", 5)
    plan, done, _ = plan_and_do(deployment(folder))
    assert not plan.exact
    assert plan.total("parse") == done["parse"] == 6
    assert "6 documents have to be parsed" in plan.notes[0]
    assert plan.total("embed_low") <= done["embed"] <= plan.total("embed_high")
    assert plan.total("embed_low") < plan.total("embed_high")


def test_a_quick_plan_of_an_edit_brackets_the_truth(folder: Path) -> None:
    (folder / "documents" / "pool.md").write_text(page("pool"))
    platform = deployment(folder)
    plan = plan_work(platform, find_pending(platform), exact=False)
    done = did(ingested(platform))
    assert not plan.exact
    assert plan.total("parse") == done["parse"] == 1
    assert plan.total("embed_low") <= done["embed"] <= plan.total("embed_high")
    assert "--quick" in plan.notes[0]


def test_rates_are_those_of_the_deployment_where_there_are_any(folder: Path) -> None:
    (folder / "documents" / "pool.md").write_text(page("pool"))
    platform = deployment(folder, chunking=ChunkingSettings(max_tokens=60))
    plan = plan_work(platform, find_pending(platform))
    stamp = platform.tables.stamp("embeddings", "docs")
    assert stamp is not None
    assert stamp.facts["embedded"] >= 20
    rate = plan.time.rates["embeddings"]
    assert rate.measured
    assert rate.per_second == pytest.approx(
        stamp.facts["embedded"] / stamp.facts["seconds"], rel=0.01
    )
    assert not plan.time.rates["parsed_documents"].measured, "nine documents measure nothing"
    spent = plan.total("embed") / rate.per_second
    assert plan.time.by_stage["embeddings"] == pytest.approx(spent, abs=0.06)
