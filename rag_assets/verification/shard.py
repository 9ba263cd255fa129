"""The tables of one shard: readable, unaltered, and what the stage before says."""

from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl

from rag_assets.chunks.schema import CHUNKS
from rag_assets.chunks.transform import chunks_digest
from rag_assets.embeddings.schema import embeddings_schema
from rag_assets.embeddings.transform import embeddings_digest, embeddings_fingerprint
from rag_assets.encoders import Encoder
from rag_assets.parsed_documents.schema import PARSED_DOCUMENTS
from rag_assets.parsed_documents.transform import parsed_digest
from rag_assets.platform.errors import StorageError
from rag_assets.platform.fingerprint import fingerprint, frame_digest, sha256_text
from rag_assets.platform.platform import Platform
from rag_assets.platform.tables import Stamp, Tables
from rag_assets.platform.wording import agreeing, counted
from rag_assets.raw_documents.manifest import manifest_digest
from rag_assets.raw_documents.schema import RAW_DOCUMENTS
from rag_assets.vector_index.rows import index_rows, portable_digests
from rag_assets.vector_index.stage import INDEX_MANIFEST, UPSTREAM, upstream_digest

from .base import Findings, Kind, few
from .rows import joined
from .vectors import is_unit

STAGES = (*UPSTREAM, "vector_index")
PATH = joined("heading_path")


@dataclass
class Shard:
    """The tables of a shard as they are stored.

    Attributes:
        partition: its key.
        stamps: of the tables that can be read.
        frames: their rows.
        damaged: tables that cannot be trusted: what follows from them is not compared.
    """

    partition: str
    stamps: dict[str, Stamp] = field(default_factory=dict)
    frames: dict[str, pl.DataFrame] = field(default_factory=dict)
    damaged: set[str] = field(default_factory=set)

    def sound(self, *assets: str) -> bool:
        """Whether all of some tables are there and can be trusted."""
        return all(asset in self.frames and asset not in self.damaged for asset in assets)

    def linked(self, asset: str) -> bool:
        """Whether a table was made from the ones before it as they are now."""
        if asset == "raw_documents":
            return True
        names = UPSTREAM if asset == "vector_index" else (STAGES[STAGES.index(asset) - 1],)
        if asset not in self.stamps or any(name not in self.stamps for name in names):
            return False
        digests = [self.stamps[name].digest for name in names]
        wanted = upstream_digest(digests) if asset == "vector_index" else digests[0]
        return self.stamps[asset].upstream == wanted


class ShardAudit:
    """Compares the tables of one shard.

    Args:
        platform: the deployment.
        partition: the shard's key.
        encoder: the configured one.
        served: gives rows of the newest version of the index by chunk_id.
        findings: told what disagrees.
    """

    def __init__(
        self,
        platform: Platform,
        partition: str,
        encoder: Encoder,
        served: Callable[[list[str]], pl.DataFrame],
        findings: Findings,
    ) -> None:
        self._tables: Tables = platform.tables
        self._encoder = encoder
        self._served = served
        self._findings = findings
        self.shard = Shard(partition)

    def run(self) -> Shard:
        """Read and compare; the shard with its tables, for what is compared with the index."""
        self._read()
        if self.shard.sound("raw_documents"):
            self._digest("raw_documents", manifest_digest)
        if self.shard.sound("parsed_documents"):
            self._parsed()
        if self.shard.sound("chunks"):
            self._chunks()
        if self.shard.sound("embeddings"):
            self._embeddings()
        if self.shard.sound("vector_index"):
            columns = ["chunk_id", "row_sha256"]
            self._digest("vector_index", lambda rows: frame_digest(rows, columns, ["chunk_id"]))
        self._links()
        if self.shard.sound(*STAGES) and all(map(self.shard.linked, STAGES)):
            self._index_rows()
        return self.shard

    def _read(self) -> None:
        schemas = {
            "raw_documents": RAW_DOCUMENTS,
            "parsed_documents": PARSED_DOCUMENTS,
            "chunks": CHUNKS,
            "embeddings": embeddings_schema(self._encoder.dimensions),
            "vector_index": INDEX_MANIFEST,
        }
        shard = self.shard
        for asset, schema in schemas.items():
            try:
                stamp = self._tables.stamp(asset, shard.partition)
                frame = self._tables.read(asset, shard.partition, schema)
            except StorageError as error:
                self._name("unreadable_table", asset, error.message)
                continue
            if stamp is not None:
                shard.stamps[asset], shard.frames[asset] = stamp, frame
                self._findings.count("tables", 1)
                self._findings.count("table_rows", frame.height)
        after = [name for name in STAGES if name in shard.stamps]
        for asset in STAGES[: STAGES.index(after[-1])] if after else ():
            if asset not in shard.stamps and asset not in shard.damaged:
                self._name("missing_table", asset, "the table is gone; later ones are there")

    def _parsed(self) -> None:
        rows = self.shard.frames["parsed_documents"].filter(pl.col("text").is_not_null())
        columns = rows.select("document_id", "text_sha256", "title", "text", "page_starts")
        changed = [
            document
            for document, sha256, title, text, starts in columns.iter_rows()
            if fingerprint([title, text, starts]) != sha256
        ]
        if changed:
            documents = counted(len(changed), "document has", "documents have")
            what = f"{documents} another text than was parsed: {few(changed)}"
            self._name("edited_table", "parsed_documents", what, changed)
        else:
            self._digest("parsed_documents", parsed_digest)

    def _chunks(self) -> None:
        chunks = self.shard.frames["chunks"]
        shas = pl.Series(
            [sha256_text(text or "") for text in chunks["embed_text"]], dtype=pl.String
        )
        wrong = chunks.filter(shas != chunks["embed_sha256"])
        if self.shard.sound("parsed_documents"):
            wrong = pl.concat([wrong, self._not_cut(chunks)]).unique("chunk_id")
        ids = wrong["chunk_id"].sort().to_list()
        if ids:
            are = agreeing(len(ids), "is", "are")
            what = f"{counted(len(ids), 'chunk')} {are} not what their documents say: {few(ids)}"
            self._name("edited_table", "chunks", what, ids)
        else:
            self._digest("chunks", chunks_digest)

    def _not_cut(self, chunks: pl.DataFrame) -> pl.DataFrame:
        """Chunks whose text is not that span of their document, as far as it is the same document."""
        parsed = self.shard.frames["parsed_documents"]
        wrong = []
        for document in parsed.select("document_id", "text_sha256", "text").iter_slices(256):
            both = chunks.join(
                document.rename({"text": "whole"}), on=["document_id", "text_sha256"]
            )
            cut = both.with_columns(
                cut=pl.col("whole").str.slice(
                    pl.col("char_start"), pl.col("char_end") - pl.col("char_start")
                )
            )
            wrong.append(
                cut.filter(pl.col("cut").ne_missing(pl.col("text"))).select(chunks.columns)
            )
        return pl.concat([chunks.clear(), *wrong])

    def _embeddings(self) -> None:
        rows = self.shard.frames["embeddings"]
        bad = rows.filter(~pl.Series(is_unit(rows["vector"].to_numpy()), dtype=pl.Boolean))
        if bad.height:
            texts = bad["embed_sha256"].unique().sort().to_list()
            are = agreeing(len(texts), "is", "are")
            what = f"{counted(len(texts), 'vector')} {are} not finite, or not of unit length"
            self._name("wrong_stored_vectors", "embeddings", what, texts)
        if not self.shard.sound("chunks") or not self.shard.linked("embeddings"):
            return
        encoder = self._encoder.fingerprint
        if self.shard.stamps["embeddings"].fingerprint != embeddings_fingerprint(self._encoder):
            return  # of another configuration: the next ingest makes it anew
        chunks = self.shard.frames["chunks"]
        own = rows.filter(pl.col("encoder") == encoder)
        lacking = chunks.join(own, on="embed_sha256", how="anti")["embed_sha256"].unique().sort()
        if lacking.len():
            what = counted(
                lacking.len(), "text of a chunk has no vector", "texts of chunks have no vector"
            )
            self._name("edited_table", "embeddings", what, lacking.to_list())
        else:
            self._digest("embeddings", lambda _: embeddings_digest(chunks, encoder))

    def _links(self) -> None:
        """Say where work is outstanding; what was made from something that never was is damaged."""
        for asset in STAGES[1:]:
            if not self.shard.sound(*STAGES[: STAGES.index(asset) + 1]) or self.shard.linked(asset):
                continue
            before = STAGES[STAGES.index(asset) - 1]
            newer = [name for name in STAGES[: STAGES.index(asset)] if self._newer(name, asset)]
            if newer:
                self._findings.pending.append(
                    f"{asset} of '{self.shard.partition}' is behind {newer[-1]}: "
                    "'ragline ingest' brings it up to date"
                )
            else:
                what = f"{asset} was made from other rows, and nothing wrote this table since"
                self._name("edited_table", before, what)
            return

    def _newer(self, name: str, than: str) -> bool:
        """Whether a run wrote one table after another; what is left where a run was interrupted."""
        one, other = self.shard.stamps[name], self.shard.stamps[than]
        if one.written_at == other.written_at:
            return one.run_id != other.run_id
        return one.written_at > other.written_at

    def _index_rows(self) -> None:
        """Compute the index rows again, and compare them with the index manifest."""
        frames, stamp = self.shard.frames, self.shard.stamps["vector_index"]
        vectors = frames["embeddings"].filter(pl.col("encoder") == self._encoder.fingerprint)
        first = (frames["raw_documents"], frames["parsed_documents"], frames["chunks"])
        rows = index_rows(*first, vectors, self.shard.partition, stamp.run_id)
        manifest = frames["vector_index"]
        portable = rows.select("chunk_id", "row_sha256", portable_sha256=portable_digests(rows))
        key = ["chunk_id", "portable_sha256"]
        other = manifest.join(portable, on=key, how="anti")["chunk_id"]
        lost = portable.join(manifest, on="chunk_id", how="anti")["chunk_id"]
        ids = pl.concat([other, lost]).unique().sort().to_list()
        if ids:
            are = agreeing(len(ids), "is", "are")
            what = (
                f"{counted(len(ids), 'chunk')} {are} not what the tables before it say: {few(ids)}"
            )
            self._name("edited_table", "vector_index", what, ids)
            return
        # a location that has moved since is no difference; a heading or a token count is
        apart = portable.join(manifest, on=["chunk_id", "row_sha256"], how="anti")["chunk_id"]
        if not apart.len():
            return
        served = self._served(apart.to_list()).select("chunk_id", "token_count", path=PATH)
        own = frames["chunks"].select("chunk_id", "token_count", path=PATH)
        both = own.join(served.rename({"token_count": "t", "path": "p"}), on="chunk_id")
        differ = both.filter(
            (pl.col("token_count") != pl.col("t")) | (pl.col("path") != pl.col("p"))
        )
        if differ.height:
            ids = differ["chunk_id"].sort().to_list()
            chunks = counted(len(ids), "chunk has", "chunks have")
            what = f"{chunks} other headings or token counts than in the index"
            self._name("edited_table", "chunks", f"{what}: {few(ids)}", ids)

    def _digest(self, asset: str, digest: Callable[[pl.DataFrame], str]) -> None:
        if digest(self.shard.frames[asset]) != self.shard.stamps[asset].digest:
            self._name("edited_table", asset, "its rows are not those that its stage wrote")

    def _name(self, kind: Kind, asset: str, what: str, ids: list[str] | None = None) -> None:
        self.shard.damaged.add(asset)
        self._findings.add(
            kind,
            f"tables/{asset}/{self.shard.partition}.parquet",
            what,
            ids=tuple(ids or ()),
            asset=asset,
            partition=self.shard.partition,
        )
