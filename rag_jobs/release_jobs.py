"""Jobs with which a person decides about releases in the Dagster UI: promote, roll back, resume."""

import dagster as dg
from pydantic import Field

from rag_assets.platform.dagster_bridge import PLATFORM, explained
from rag_assets.platform.platform import Platform
from rag_assets.releases.operations import promote_release, resume_promotions, roll_back
from rag_assets.releases.release import Release

ACTOR = "Dagster UI"


class PromotionConfig(dg.Config):
    """What to promote, and which failed gates are accepted."""

    release: int
    accept: list[str] = Field(default_factory=list)
    reason: str = ""


class RollbackConfig(dg.Config):
    """Where to go back to; 0: the release before the live one."""

    release: int = 0
    reason: str = ""


class ResumeConfig(dg.Config):
    """Why promotions go on."""

    reason: str = ""


@dg.op(required_resource_keys={PLATFORM})
def promote_by_hand(context: dg.OpExecutionContext, config: PromotionConfig) -> None:
    """Make a release live that waits, was rejected, or was live before."""
    platform: Platform = context.resources.platform
    with explained(platform):
        release = promote_release(
            platform,
            config.release,
            accept=tuple(config.accept),
            actor=ACTOR,
            reason=config.reason,
        )
    _show(context, release)


@dg.op(required_resource_keys={PLATFORM})
def roll_back_by_hand(context: dg.OpExecutionContext, config: RollbackConfig) -> None:
    """Make an earlier release live again, and hold promotions back."""
    platform: Platform = context.resources.platform
    with explained(platform):
        release = roll_back(platform, config.release or None, actor=ACTOR, reason=config.reason)
    _show(context, release)


@dg.op(required_resource_keys={PLATFORM})
def resume(context: dg.OpExecutionContext, config: ResumeConfig) -> None:
    """Let promotions go on by themselves."""
    platform: Platform = context.resources.platform
    lifted = resume_promotions(platform, actor=ACTOR, reason=config.reason)
    context.log_event(
        dg.AssetObservation("release", metadata={"promotions": "resumed" if lifted else "going on"})
    )


def _show(context: dg.OpExecutionContext, release: Release) -> None:
    """Let the asset's own page show what a person has done to it."""
    context.log_event(
        dg.AssetObservation(
            "release",
            metadata={
                "release": release.id,
                "status": release.status,
                "reason": release.reason,
                "documents": release.documents,
                "chunks": release.chunks,
            },
        )
    )


@dg.job(name="promote_release", executor_def=dg.in_process_executor)
def promote_release_job() -> None:
    """Promote a release by hand; the launchpad asks which, and which gates are accepted."""
    promote_by_hand()


@dg.job(name="roll_back", executor_def=dg.in_process_executor)
def roll_back_job() -> None:
    """Go back to an earlier release; the launchpad asks to which, and why."""
    roll_back_by_hand()


@dg.job(name="resume_promotions", executor_def=dg.in_process_executor)
def resume_promotions_job() -> None:
    """Let promotions go on after a rollback or a hold."""
    resume()


RELEASE_JOBS = (promote_release_job, roll_back_job, resume_promotions_job)
