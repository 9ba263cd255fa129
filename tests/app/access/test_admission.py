"""Which requests are let in on the event loop: only where nothing has to be asked before."""

from pathlib import Path
from typing import Any

import pytest

from rag_app.service.services import Services
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings


@pytest.mark.parametrize(
    ("sections", "at_once"),
    [
        ({}, True),
        ({"auth": {"enabled": True}}, False),  # a key is looked up in the database
        ({"cache": {"redis_url": "redis://127.0.0.1:1/0"}}, False),  # limits are counted there
    ],
)
def test_what_may_have_to_wait_for_another_server_goes_into_a_thread(
    tmp_path: Path, sections: dict[str, Any], at_once: bool
) -> None:
    settings = Settings.model_validate({"home": str(tmp_path / "home"), **sections})
    services = Services.of(Platform(settings))
    assert services.admits_at_once is at_once
    services.close()
