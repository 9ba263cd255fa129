"""The configuration a release was made with, kept with it: to read it later, and to compare."""

from contextlib import suppress
from typing import Any

from rag_assets.encoders import Encoder, make_encoder
from rag_assets.platform.errors import ConfigurationError, EncoderError
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import EncoderSettings, Settings

from .registry import Release

# what shapes a release; where and how fast it is computed does not
SECTIONS: dict[str, set[str]] = {
    "parsing": {"workers", "recycle_after"},
    "chunking": set(),
    "encoder": {"api_key", "batch_size", "device", "keep_unused_days"},
}


def configuration_of(settings: Settings) -> dict[str, Any]:
    """The settings that a release made now is made with: section → setting → value, no secrets."""
    return {
        name: getattr(settings, name).model_dump(mode="json", exclude=left_out)
        for name, left_out in SECTIONS.items()
    }


def encoder_of(platform: Platform, release: Release) -> Encoder:
    """The encoder whose vectors a release holds, which may not be the one that is configured now.

    Raises:
        ConfigurationError: it cannot be made any more.
    """
    settings, wanted = platform.settings.encoder, release.fingerprints.get("encoder")
    choices = [settings]
    kept = (release.configuration or {}).get("encoder")
    if kept is not None:
        # how it is run is a matter of today; a key goes only to the server it is meant for
        same_server = kept["base_url"] == settings.base_url
        today = settings.model_dump(
            include=SECTIONS["encoder"] - (set() if same_server else {"api_key"})
        )
        choices.append(EncoderSettings(**{**kept, **today}))
    for choice in choices:
        # a model that is not on this machine is only in the way when it is the one that is wanted
        with suppress(EncoderError):
            encoder = make_encoder(choice, platform.state_path)
            if encoder.fingerprint == wanted:
                return encoder
    raise ConfigurationError(
        f"Release {release.id} was made with another encoder than the settings name, and that one "
        "cannot be made any more.",
        "Set the former encoder again, or run 'ragline ingest' to release with the present one.",
    )
