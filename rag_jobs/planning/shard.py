"""One shard's stages run in memory, as far as they can be."""

import math
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl

from rag_assets.chunks.registry import make_splitter
from rag_assets.chunks.schema import CHUNKS
from rag_assets.chunks.stage import chunking_fingerprint
from rag_assets.chunks.transform import ChunkUpdate, chunk_documents
from rag_assets.embeddings.schema import embeddings_schema
from rag_assets.encoders import Encoder
from rag_assets.parsed_documents.pending import plan as parsing_plan
from rag_assets.parsed_documents.personal_data import PersonalData
from rag_assets.parsed_documents.schema import PARSED_DOCUMENTS
from rag_assets.parsed_documents.stage import parsing_fingerprint
from rag_assets.parsed_documents.transform import parse_documents
from rag_assets.platform.platform import Platform
from rag_assets.raw_documents.manifest import update_manifest
from rag_assets.raw_documents.schema import RAW_DOCUMENTS
from rag_assets.raw_documents.sources import open_partition, parse_partition
from rag_assets.raw_documents.stage import manifest_fingerprint
from rag_assets.vector_index.configuration import index_fingerprints, index_table_name
from rag_jobs.pending import ShardPending

from .contents import PARSED_BYTES_AT_MOST, PlannedContents

# texts that are not known are parsed to count their chunks, as long as they are few
PARSED_DOCUMENTS_AT_MOST = 200
# where nothing is known: bytes of a document for each chunk, tokens of a chunk
BYTES_PER_CHUNK = 800.0
TOKENS_PER_CHUNK = 120.0
# an estimate from averages is good within this factor
UNCERTAINTY = 2.0


@dataclass(frozen=True)
class ShardWork:
    """What one shard needs.

    Attributes:
        partition: its key.
        exact: whether what follows was counted.
        parse: documents that go to a parser.
        reuse: documents that take over the text of another id with the same content (a rename).
        unparsed: documents to parse whose chunks are estimated.
        split: documents that are cut into chunks.
        chunks: of the shard afterwards.
        texts: distinct texts of these chunks.
        embed: texts without a vector of the configured encoder; ``embed_low`` to ``embed_high`` is
            where it lies if it is estimated.
        cache_hits: texts whose vector is there already.
        tokens: that are encoded.
        rows: written to the index: new and moved chunks; all chunks of a new table.
        new_chunks: chunks that were not there before.
    """

    partition: str
    exact: bool = True
    parse: int = 0
    reuse: int = 0
    unparsed: int = 0
    split: int = 0
    chunks: int = 0
    texts: int = 0
    embed: int = 0
    embed_low: int = 0
    embed_high: int = 0
    cache_hits: int = 0
    tokens: int = 0
    rows: int = 0
    new_chunks: int = 0


class DryRun:
    """Runs shards one after the other: a vector that one makes, a later one of its source finds.

    Args:
        platform: the deployment.
        encoder: the configured one; its model is not loaded unless the splitter needs it.
        full: do the work again for every row.
        now: the time of the run.
    """

    def __init__(self, platform: Platform, encoder: Encoder, *, full: bool, now: datetime) -> None:
        self._platform = platform
        self._encoder = encoder
        self._full = full
        self._now = now
        self._fingerprints = index_fingerprints(platform, encoder)
        self._made: dict[str, set[str]] = defaultdict(set)

    def exact(self, shard: ShardPending) -> ShardWork:
        """Count what can be counted, and estimate the documents that nobody has parsed yet."""
        platform, settings = self._platform, self._platform.settings.parsing
        contents = PlannedContents(platform)
        raw = self._manifest(shard, contents)
        previous = platform.tables.read("parsed_documents", shard.partition, PARSED_DOCUMENTS)
        personal_data = PersonalData.of(platform.settings, shard.source)
        redaction = personal_data.fingerprint if personal_data else ""
        steps = parsing_plan(previous, raw, settings, self._now, redaction=redaction)
        unknown = self._too_many(steps, contents)
        known = raw.join(unknown, on="document_id", how="anti")
        parsed = parse_documents(
            previous,
            known,
            contents,
            settings,
            run_id="plan",
            now=self._now,
            personal_data=personal_data,
        ).frame
        update, before = self._chunked(shard, parsed)
        work = self._counted(shard, update, before)
        actions = parsing_plan(previous, raw, settings, self._now, self._full, redaction)["action"]
        own = steps.filter(pl.col("action") == "reuse", pl.col("reuse_id") == pl.col("document_id"))
        work = replace(
            work,
            parse=int((actions == "parse").sum()),
            reuse=0 if self._full else int((actions == "reuse").sum()) - own.height,
        )
        return self._estimated(shard, work, unknown) if unknown.height else work

    def quick(self, shard: ShardPending) -> ShardWork:
        """Estimate from the listing and from the tables as they are; no text is read."""
        tables = self._platform.tables
        raw = tables.read("raw_documents", shard.partition, RAW_DOCUMENTS)
        stamp = tables.stamp("parsed_documents", shard.partition)
        new_parser = stamp is None or stamp.fingerprint != parsing_fingerprint(
            self._platform.settings, shard.partition
        )
        parse = shard.listed if self._full or new_parser else shard.added + shard.changed
        chunks = tables.read("chunks", shard.partition, CHUNKS)
        kept = shard.listed - shard.added - shard.changed
        share = kept / raw.height if raw.height else 0.0
        average = _Averages.of(chunks, raw)
        size = float(raw["size_bytes"].mean() or average.bytes_per_chunk)  # type: ignore[arg-type]
        fresh = round((shard.added + shard.changed) * size / average.bytes_per_chunk)
        present = round(chunks["embed_sha256"].n_unique() * share)
        stale = self._splits_anew(shard)
        total = round(chunks.height * share) + fresh
        known = 0 if stale or self._full else self._with_vectors(shard, chunks, present)
        embed = max(0, present + fresh - known)
        return ShardWork(
            partition=shard.partition,
            exact=not (embed or parse or stale),
            parse=parse,
            split=shard.listed if stale or self._full else shard.added + shard.changed,
            chunks=total,
            texts=present + fresh,
            embed=embed,
            embed_low=0 if stale else round(embed / UNCERTAINTY),
            embed_high=round(embed * UNCERTAINTY),
            cache_hits=present + fresh - embed,
            tokens=round(embed * average.tokens_per_chunk),
            rows=total if self._new_table(shard) else fresh,
            new_chunks=total if stale else fresh,
        )

    def _manifest(self, shard: ShardPending, contents: PlannedContents) -> pl.DataFrame:
        """The manifest after the ingest; documents that have changed are read and not kept."""
        platform, settings = self._platform, self._platform.settings
        stored = platform.tables.stamp("raw_documents", shard.partition)
        own = manifest_fingerprint(settings, shard.partition)
        return update_manifest(
            platform.tables.read("raw_documents", shard.partition, RAW_DOCUMENTS),
            open_partition(settings, shard.partition),
            contents,
            max_bytes=int(settings.parsing.max_file_mb * 1_000_000),
            run_id="plan",
            full=self._full or (stored is not None and stored.fingerprint != own),
        ).frame

    def _too_many(self, steps: pl.DataFrame, contents: PlannedContents) -> pl.DataFrame:
        """The documents to parse that are not parsed for the plan: all, or those not at hand."""
        to_parse = steps.filter(pl.col("action") == "parse")
        few = to_parse.height <= PARSED_DOCUMENTS_AT_MOST
        if few and int(to_parse["size_bytes"].sum()) <= PARSED_BYTES_AT_MOST:
            here = [contents.has(sha256) for sha256 in to_parse["content_sha256"]]
            return to_parse.filter(~pl.Series(here, dtype=pl.Boolean))
        return to_parse

    def _chunked(
        self, shard: ShardPending, parsed: pl.DataFrame
    ) -> tuple[ChunkUpdate, pl.DataFrame]:
        """The chunks after the ingest, and those of the last run."""
        settings = self._platform.settings.chunking
        before = self._platform.tables.read("chunks", shard.partition, CHUNKS)
        update = chunk_documents(
            CHUNKS.to_frame() if self._splits_anew(shard) else before,
            parsed,
            make_splitter(settings, self._encoder.encode),
            self._encoder.tokenizer,
            settings,
            self._encoder.max_tokens,
            run_id="plan",
            full=self._full,
        )
        return update, before

    def _splits_anew(self, shard: ShardPending) -> bool:
        stamp = self._platform.tables.stamp("chunks", shard.partition)
        own = chunking_fingerprint(self._platform.settings.chunking, self._encoder)
        return stamp is None or stamp.fingerprint != own

    def _counted(self, shard: ShardPending, update: ChunkUpdate, before: pl.DataFrame) -> ShardWork:
        chunks = update.frame
        wanted = chunks.unique("embed_sha256").select("embed_sha256", "token_count")
        known = [] if self._full else sorted(self._vectors(shard.partition))
        missing = wanted.filter(
            ~pl.col("embed_sha256").is_in(pl.Series(known, dtype=pl.String).implode())
        )
        self._made[parse_partition(shard.partition)[0]] |= set(missing["embed_sha256"])
        same = ["chunk_id", "ordinal", "char_start", "char_end", "embed_sha256"]
        moved = chunks.join(before, on=same, how="anti").height
        return ShardWork(
            partition=shard.partition,
            split=update.documents_chunked,
            chunks=chunks.height,
            texts=wanted.height,
            embed=missing.height,
            embed_low=missing.height,
            embed_high=missing.height,
            cache_hits=wanted.height - missing.height,
            tokens=int(missing["token_count"].sum()),
            rows=chunks.height if self._new_table(shard) else moved,
            new_chunks=chunks.join(before, on="chunk_id", how="anti").height,
        )

    def _estimated(self, shard: ShardPending, work: ShardWork, unknown: pl.DataFrame) -> ShardWork:
        """Add the documents that are not parsed, from their bytes and the averages of the shard."""
        tables = self._platform.tables
        average = _Averages.of(
            tables.read("chunks", shard.partition, CHUNKS),
            tables.read("raw_documents", shard.partition, RAW_DOCUMENTS),
        )
        more = math.ceil(int(unknown["size_bytes"].sum()) / average.bytes_per_chunk)
        return replace(
            work,
            exact=False,
            unparsed=unknown.height,
            split=work.split + unknown.height,
            chunks=work.chunks + more,
            texts=work.texts + more,
            embed=work.embed + more,
            embed_low=work.embed_low + round(more / UNCERTAINTY),
            embed_high=work.embed_high + round(more * UNCERTAINTY),
            tokens=work.tokens + round(more * average.tokens_per_chunk),
            rows=work.rows + more,
            new_chunks=work.new_chunks + more,
        )

    def _with_vectors(self, shard: ShardPending, chunks: pl.DataFrame, present: int) -> int:
        hashes = chunks["embed_sha256"].unique()
        share = len(set(hashes) & self._vectors(shard.partition)) / max(len(hashes), 1)
        return round(share * present)

    def _new_table(self, shard: ShardPending) -> bool:
        stamp = self._platform.tables.stamp("vector_index", shard.partition)
        return stamp is None or stamp.fingerprint != index_table_name(self._fingerprints)

    def _vectors(self, partition: str) -> set[str]:
        """The texts that have a vector of the encoder: in any shard of the source, or by then."""
        source = parse_partition(partition)[0]
        found = set(self._made[source])
        for name in self._platform.tables.partitions("embeddings"):
            if parse_partition(name)[0] == source:
                found |= self._stored(name)
        return found

    def _stored(self, partition: str) -> set[str]:
        platform, schema = self._platform, embeddings_schema(self._encoder.dimensions)
        path = platform.storage.path(platform.tables.key("embeddings", partition))
        if path is None:
            rows = platform.tables.read("embeddings", partition, schema).lazy()
        else:  # the vectors themselves are not read
            rows = pl.scan_parquet(path)
            if rows.collect_schema() != schema:
                return set()
        mine = rows.filter(pl.col("encoder") == self._encoder.fingerprint)
        return set(mine.select("embed_sha256").collect()["embed_sha256"])


@dataclass(frozen=True)
class _Averages:
    """How long chunks are; of the shard where it has any, else defaults."""

    bytes_per_chunk: float
    tokens_per_chunk: float

    @classmethod
    def of(cls, chunks: pl.DataFrame, raw: pl.DataFrame) -> "_Averages":
        cut = raw.join(chunks, on="document_id", how="semi")
        if not chunks.height or not int(cut["size_bytes"].sum()):
            return cls(BYTES_PER_CHUNK, TOKENS_PER_CHUNK)
        tokens = int(chunks["token_count"].sum())
        return cls(int(cut["size_bytes"].sum()) / chunks.height, tokens / chunks.height)
