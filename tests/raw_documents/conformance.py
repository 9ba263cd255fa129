"""What every source must do; a test class per source inherits it."""

from abc import ABC, abstractmethod
from datetime import UTC

import pytest

from rag_assets.platform.errors import SourceUnavailable
from rag_assets.raw_documents.base import Listed, Source

LIMIT = 1_000_000


class SourceConformance(ABC):
    """Subclasses say how documents (texts by name) get into the place that a source reads."""

    @abstractmethod
    def put(self, documents: dict[str, str]) -> None:
        """Make these the documents of the place, and no others."""

    @abstractmethod
    def source(self) -> Source:
        """A source named ``s`` over the place, default ACL ``staff``."""

    @abstractmethod
    def missing(self) -> Source:
        """A source over a place that does not exist."""

    @abstractmethod
    def content(self, text: str) -> bytes:
        """The bytes that a document with this text has."""

    def listing(self) -> dict[str, Listed]:
        listed = list(self.source().list())
        by_id = {item.document_id: item for item in listed}
        assert len(by_id) == len(listed), "ids are unique"
        return by_id

    def test_ids_are_prefixed_and_the_order_is_stable(self) -> None:
        self.put({"b": "two", "a": "one", "c": "three"})
        first = [item.document_id for item in self.source().list()]
        assert len(set(first)) == 3
        assert all(document_id.startswith("s/") for document_id in first)
        assert [item.document_id for item in self.source().list()] == first

    def test_one_source_can_be_listed_twice(self) -> None:
        self.put({"a": "one", "b": "two"})
        source = self.source()
        assert list(source.list()) == list(source.list())

    def test_fetch_gives_the_bytes(self) -> None:
        texts = {"a": "one", "b": "zwei äöü", "c": ""}
        self.put(texts)
        source = self.source()
        contents = sorted(source.fetch(item, LIMIT).content for item in source.list())
        assert contents == sorted(self.content(text) for text in texts.values())

    def test_defaults_and_times(self) -> None:
        self.put({"a": "one"})
        source = self.source()
        (listed,) = source.list()
        fetched = source.fetch(listed, LIMIT)
        assert fetched.problem_kind is None
        assert fetched.acl == ["staff"]
        assert fetched.media_type == listed.media_type
        assert fetched.modified_at.tzinfo is not None
        assert fetched.modified_at.utcoffset() == UTC.utcoffset(None)

    def test_the_signature_follows_the_content(self) -> None:
        self.put({"a": "one", "b": "two"})
        before = self.listing()
        self.put({"a": "one", "b": "TWO"})
        after = self.listing()
        assert before.keys() == after.keys()
        (changed,) = (name for name in after if "b" in name.removeprefix("s/"))
        assert before[changed].signature != after[changed].signature

    def test_the_filter_chooses_documents(self) -> None:
        self.put({"a": "one", "b": "two", "c": "three"})
        everything = self.listing()
        wanted = sorted(everything)[1]
        assert [item.document_id for item in self.source().list(lambda id_: id_ == wanted)] == [
            wanted
        ]
        assert list(self.source().list(lambda id_: False)) == []

    def test_a_document_over_the_limit_is_not_read(self) -> None:
        self.put({"a": "x" * 5000})
        source = self.source()
        (listed,) = source.list()
        fetched = source.fetch(listed, 1000)
        assert (fetched.problem_kind, fetched.content, fetched.acl) == ("too_large", b"", [])

    def test_a_missing_place_is_an_error_and_no_empty_listing(self) -> None:
        with pytest.raises(SourceUnavailable) as caught:
            list(self.missing().list())
        assert caught.value.hint
        assert "path" in str(caught.value)
