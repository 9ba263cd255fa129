"""The encoders of the releases that are read: each made once, by the fingerprint of its vectors."""

import threading

from rag_assets.encoders import Encoder
from rag_assets.platform.platform import Platform
from rag_assets.releases.configuration import encoder_of
from rag_assets.releases.release import Release


class ReleaseEncoders:
    """Gives each release the encoder that made its vectors. Safe to use from several threads.

    Args:
        platform: settings, and where models are kept.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._made: dict[str, Encoder] = {}
        self._making = threading.Lock()

    def of(self, release: Release) -> Encoder:
        """The encoder of a release; releases with the same vectors share one.

        Raises:
            ConfigurationError: it cannot be made any more.
            EncoderError: its model or server is not there.
        """
        fingerprint = release.fingerprints.get("encoder", "")
        with self._making:
            if fingerprint not in self._made:
                self._made[fingerprint] = encoder_of(self._platform, release)
            return self._made[fingerprint]
