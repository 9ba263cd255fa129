"""How long a plan takes, what it costs and how much disk it needs: measured rates where there are any."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rag_assets.encoders import Encoder
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings
from rag_assets.platform.wording import counted
from rag_assets.releases.registry import Release

from .shard import ShardWork

TOKENS_PER_PRICE = 1_000_000
BYTES_PER_NUMBER = 4  # of a vector, float32

# what a stage does in a second on two CPU cores, where this deployment has measured nothing
DEFAULT_RATES = {
    "parsed_documents": 100.0,  # documents
    "chunks": 100.0,  # documents
    "embeddings": 100.0,  # texts
    "vector_index": 2000.0,  # rows
}
# stage → the facts of its stamp that say what was done in its seconds
MEASURED = {
    "parsed_documents": "parsed",
    "chunks": "documents_chunked",
    "embeddings": "embedded",
    "vector_index": "rows_written",
}
# fewer are over in the time that it takes to begin, and say nothing of a rate
FEWEST = 20
START_SECONDS = 6.0  # loading Dagster, the encoder and the data contracts
SHARD_SECONDS = 2.0  # a run of its own, whatever it does

# bytes of a row besides its vector, where there is no table to measure: text and columns, with indices
ROW_BYTES = 1500.0
CHUNK_BYTES = 600.0


@dataclass(frozen=True)
class Rate:
    """How much of a stage's work is done in a second; ``measured`` in this deployment, or a default."""

    per_second: float
    measured: bool


@dataclass(frozen=True)
class Speed:
    """Seconds of an ingest.

    Attributes:
        seconds: all together, gates and evaluations excluded.
        by_stage: stage → seconds.
        rates: stage → what they are computed with.
    """

    seconds: float
    by_stage: dict[str, float]
    rates: dict[str, Rate]


@dataclass(frozen=True)
class Money:
    """What the encoder costs, in USD; ``why`` says how it was computed."""

    usd: float
    tokens: int
    why: str


@dataclass(frozen=True)
class Disk:
    """Bytes that an ingest adds.

    Attributes:
        vectors: new vectors in the table of embeddings.
        chunks: new rows of the table of chunks.
        index: new rows of the index; all of them where the configuration builds a table of its own
            beside the live one.
        total: all together.
        new_table: whether the index is a new table.
        freed_later: of the present table, which is freed when its releases have been retired for
            ``releases.keep_days``; 0 where the table stays.
        measured: whether the bytes of a row are those of the live release.
    """

    vectors: int
    chunks: int
    index: int
    total: int
    new_table: bool
    freed_later: int
    measured: bool
    why: str = field(default="")


def estimate_time(platform: Platform, shards: Sequence[ShardWork]) -> Speed:
    """Seconds by stage, from what this deployment's stages took before.

    The rate of a stage is what all shards did in their last runs over the seconds that it took, where
    a run did enough to measure by.
    """
    wanted = {
        "parsed_documents": sum(shard.parse for shard in shards),
        "chunks": sum(shard.split for shard in shards),
        "embeddings": sum(shard.embed for shard in shards),
        "vector_index": sum(shard.rows for shard in shards),
    }
    rates = {stage: _rate(platform, stage) for stage in wanted}
    by_stage = {stage: round(wanted[stage] / rates[stage].per_second, 1) for stage in wanted}
    by_stage["start"] = START_SECONDS + SHARD_SECONDS * len(shards) if shards else 0.0
    return Speed(round(sum(by_stage.values()), 1), by_stage, rates)


def _rate(platform: Platform, stage: str) -> Rate:
    done, seconds = 0, 0.0
    for name in platform.tables.partitions(stage):
        stamp = platform.tables.stamp(stage, name)
        facts = stamp.facts if stamp else {}
        if facts.get(MEASURED[stage], 0) >= FEWEST and facts.get("seconds", 0) > 0:
            done += facts[MEASURED[stage]]
            seconds += facts["seconds"]
    return Rate(round(done / seconds, 6), True) if done else Rate(DEFAULT_RATES[stage], False)


def estimate_money(settings: Settings, tokens: int) -> Money:
    """The price of encoding so many tokens; nothing where the encoder is one's own."""
    encoder = settings.encoder
    if encoder.backend != "openai":
        return Money(0.0, tokens, f"self-hosted encoder ({encoder.backend}): no price for a token")
    price = settings.cost.prices.get(encoder.model)
    if price is None:
        why = f"no price for '{encoder.model}' in cost.prices: taken as self-hosted"
        return Money(0.0, tokens, why)
    usd = round(tokens * price.prompt / TOKENS_PER_PRICE, 6)
    return Money(usd, tokens, f"{price.prompt:g} USD for a million tokens of '{encoder.model}'")


def estimate_disk(
    platform: Platform, live: Release | None, encoder: Encoder, shards: Sequence[ShardWork]
) -> Disk:
    """Bytes that are added; what is replaced atomically counts as what it grows by."""
    from rag_assets.releases.candidate import present_table

    vector = encoder.dimensions * BYTES_PER_NUMBER
    measured = _row_bytes(platform, live)
    dimensions = _dimensions(platform, live) or encoder.dimensions
    beside = measured - dimensions * BYTES_PER_NUMBER if measured else ROW_BYTES
    chunk = _chunk_bytes(platform)
    rows, embed, new = (sum(getattr(item, name) for item in shards) for name in _SUMMED)
    vectors, chunks = embed * vector, round(new * chunk)
    index = round(rows * (max(beside, 0.0) + vector))
    new_table = bool(shards) and (live is None or live.table_name != present_table(platform))
    return Disk(
        vectors,
        chunks,
        index,
        vectors + chunks + index,
        new_table,
        _table_bytes(platform, live) if new_table else 0,
        measured is not None,
        _why(platform, live, new_table=new_table),
    )


_SUMMED = ("rows", "embed", "new_chunks")


def _why(platform: Platform, live: Release | None, *, new_table: bool) -> str:
    if live is None or not new_table:
        return "the index grows by the rows that are written, until older versions are cleaned up"
    days = platform.settings.releases.keep_days
    return (
        f"a new index is built beside that of release {live.id}, which is kept for {counted(days, 'day')} "
        "after it has been retired"
    )


def _table_bytes(platform: Platform, live: Release | None) -> int:
    """The bytes of the live release's table, all of its versions and indices."""
    if live is None:
        return 0
    keys = platform.storage.list(f"lancedb/{live.table_name}.lance/")
    return sum(platform.storage.size(key) or 0 for key in keys)


def _row_bytes(platform: Platform, live: Release | None) -> float | None:
    """The bytes of a row with its share of the indices; of the live release's version, or None.

    Several versions lie in one folder: a row is written once, so that their bytes are shared by the
    rows of all data files.
    """
    from rag_assets.platform.errors import IndexUnavailable

    if live is None or not live.chunks:
        return None
    try:
        rows = _written_rows(platform, live)
    except (IndexUnavailable, OSError, ValueError):
        return None
    return _table_bytes(platform, live) / rows if rows else None


def _written_rows(platform: Platform, live: Release) -> int:
    import lance

    dataset = lance.dataset(
        f"{platform.lancedb_uri}/{live.table_name}.lance",
        version=live.lance_version,
        storage_options=platform.storage_options or None,
    )
    return sum(fragment.physical_rows for fragment in dataset.get_fragments())


def _dimensions(platform: Platform, live: Release | None) -> int:
    if live is None:
        return 0
    from rag_assets.platform.errors import ConfigurationError
    from rag_assets.releases.configuration import encoder_of

    try:
        return encoder_of(platform, live).dimensions
    except ConfigurationError:
        return 0


def _chunk_bytes(platform: Platform) -> float:
    """The bytes of a row of the table of chunks, as it is stored."""
    size = rows = 0
    for name in platform.tables.partitions("chunks"):
        stamp = platform.tables.stamp("chunks", name)
        size += platform.storage.size(platform.tables.key("chunks", name)) or 0
        rows += stamp.facts.get("chunks", 0) if stamp else 0
    return size / rows if rows else CHUNK_BYTES
