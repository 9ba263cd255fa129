"""What the routes and tools work with, made once for a process."""

from dataclasses import dataclass

from rag_app.access.audit import Audit
from rag_app.access.authenticate import Authenticator
from rag_app.access.limits import Limits
from rag_app.telemetry.metrics import Metrics
from rag_assets.platform.database import limit_waits
from rag_assets.platform.platform import Platform
from rag_assets.privacy.scrub import Scrubber
from rag_assets.query.engine import QueryEngine

from .documents import Documents
from .readiness import Readiness
from .releases import Engines
from .uploads import Uploads
from .workers import Workers


@dataclass
class Services:
    """See the module's docstring.

    Attributes:
        platform: the deployment.
        engines: of the live release and of those that callers name.
        workers: threads for the engine's blocking calls.
        readiness: whether a question could be answered now.
        documents: what became of each.
        uploads: files that arrive through the service.
        authenticator, limits, audit: of the callers.
        metrics: numbers of the service.
        comments: takes personal data out of what readers write.
    """

    platform: Platform
    engines: Engines
    workers: Workers
    readiness: Readiness
    documents: Documents
    uploads: Uploads
    authenticator: Authenticator
    limits: Limits
    audit: Audit
    metrics: Metrics
    comments: Scrubber

    @classmethod
    def of(cls, platform: Platform) -> "Services":
        """Make everything; nothing heavy is loaded yet."""
        server = platform.settings.server
        limit_waits(platform.database, server.database_seconds)
        metrics = Metrics()
        engines, documents = Engines(platform, metrics), Documents(platform)
        return cls(
            platform=platform,
            engines=engines,
            workers=Workers(server.max_concurrent_questions),
            readiness=Readiness(platform, engines.live),
            documents=documents,
            uploads=Uploads(platform, documents),
            authenticator=Authenticator(platform),
            limits=Limits(platform),
            audit=Audit(platform),
            metrics=metrics,
            comments=Scrubber(platform.settings.privacy, platform.settings.privacy.feedback),
        )

    @property
    def engine(self) -> QueryEngine:
        """The engine that follows the live release."""
        return self.engines.live

    @property
    def admits_at_once(self) -> bool:
        """Whether nothing is asked, no database and no other server, before a request is let in."""
        return not (self.authenticator.asks or self.limits.shared)

    def close(self) -> None:
        """End what this object started."""
        self.workers.close()
        self.audit.close()
        self.platform.close()
