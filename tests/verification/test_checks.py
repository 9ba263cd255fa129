"""The asset check ``verified`` as Dagster runs it."""

import dagster as dg
import pytest

from rag_assets.platform.platform import Platform
from rag_assets.verification.checks import verified_check
from tests.verification.planted import dataset, live


@pytest.mark.parametrize("damaged", [False, True])
def test_the_check_passes_and_fails_with_what_is_wrong(platform: Platform, damaged: bool) -> None:
    if damaged:
        dataset(platform).tags.delete(live(platform).tag)

    @dg.asset
    def release() -> None:
        pass

    check = verified_check(platform.settings)
    result = dg.materialize(
        [release, check], resources={"platform": dg.ResourceDefinition.hardcoded_resource(platform)}
    )
    assert result.success  # it does not block
    evaluation = result.get_asset_check_evaluations()[0]
    assert evaluation.passed is not damaged
    assert evaluation.severity is dg.AssetCheckSeverity.ERROR
    assert ("missing_tag" in (evaluation.description or "")) is damaged
    assert evaluation.metadata["disagreements"].value == int(damaged)
