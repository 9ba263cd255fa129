"""What all cached engines of a process share: one store, one set of similar questions."""

from collections.abc import Callable

from rag_assets.platform.platform import Platform
from rag_assets.query.erasure.cached import cache_prefix

from .flights import Flights
from .redis_store import RedisStore
from .semantic import SimilarQuestions
from .store import MemoryStore, Store
from .vectors import Vectors

Count = Callable[[str, str], None]


class Caches:
    """The caches of one deployment in one process.

    Args:
        platform: the deployment.
        count: told the cache (answers, vectors, semantic) and what came of a look: hit or miss.

    Attributes:
        generation: of the requests to forget documents, as it was last seen; empty before.
    """

    def __init__(self, platform: Platform, count: Count = lambda cache, result: None) -> None:
        settings = platform.settings.cache
        self.count = count
        self.flights = Flights()
        self.answers = self._store(platform)
        vectors = self.answers if isinstance(self.answers, RedisStore) else self._store(platform)
        self.vectors = Vectors(vectors, lambda result: count("vectors", result))
        self.similar = (
            SimilarQuestions(settings.semantic_similarity, settings.max_entries)
            if settings.semantic
            else None
        )
        self.generation = ""

    def of_generation(self, generation: str) -> None:
        """Drop what was made before a document was forgotten; it could not be found anyhow."""
        if generation == self.generation:
            return
        self.generation = generation
        self.answers.clear()
        if self.similar is not None:
            self.similar.clear()

    @staticmethod
    def _store(platform: Platform) -> Store:
        settings = platform.settings.cache
        url = settings.redis_url.get_secret_value()
        if url:
            return RedisStore(url, cache_prefix(platform), settings.ttl_seconds)
        return MemoryStore(settings.max_entries, settings.ttl_seconds)
