"""The asset check ``verified``: the live release holds what everything else says it holds."""

import dagster as dg

from rag_assets.platform.dagster_bridge import explained
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings

SHOWN = 20


def verified_check(settings: Settings) -> dg.AssetChecksDefinition:
    """Build the check for a deployment's settings."""

    @dg.asset_check(
        asset="release",
        name="verified",
        description="The live release, its tag, the tables and the contents agree with each other.",
        blocking=False,
    )
    def verified(platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
        from .verify import verify

        with explained(platform):
            found = verify(platform, "live")
        lines = [f"{item.kind}: {item.place}: {item.what}" for item in found.disagreements[:SHOWN]]
        return dg.AssetCheckResult(
            passed=found.ok,
            severity=dg.AssetCheckSeverity.ERROR,
            description="; ".join(lines) or "everything agrees",
            metadata={
                "disagreements": len(found.disagreements),
                "pending": len(found.pending),
                "seconds": found.seconds,
                **found.compared,
                "report": dg.MetadataValue.md("\n".join(f"- {line}" for line in lines)),
            },
        )

    return verified
