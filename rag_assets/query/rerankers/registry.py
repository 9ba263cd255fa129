"""Which reranker a name means."""

from typing import TYPE_CHECKING

from rag_assets.platform.errors import RerankerError

from .base import Reranker

if TYPE_CHECKING:
    from rag_assets.encoders import Encoder
    from rag_assets.platform.settings import QuerySettings

RERANKERS = ("none", "late_interaction", "cross_encoder", "term_overlap")
# these read with the encoder of the release: another encoder makes another reranker
OF_THE_ENCODER = ("late_interaction",)


def make_reranker(name: str, settings: "QuerySettings", encoder: "Encoder") -> Reranker:
    """Make a reranker; nothing heavy is loaded before its first use.

    Args:
        name: one of ``RERANKERS``.
        settings: the section ``[query]`` of the settings.
        encoder: of the release that is read, whose token vectors late interaction uses.

    Raises:
        RerankerError: there is no reranker of this name.
    """
    if name == "none":
        from .none import NoReranker

        return NoReranker()
    if name == "late_interaction":
        from .late_interaction import LateInteractionReranker

        return LateInteractionReranker(encoder)
    if name == "cross_encoder":
        from .cross_encoder import CrossEncoderReranker

        return CrossEncoderReranker(settings.cross_encoder_model)
    if name == "term_overlap":
        from .term_overlap import TermOverlapReranker

        return TermOverlapReranker()
    raise RerankerError(
        f"There is no reranker '{name}'.", f"Set query.reranker to one of {', '.join(RERANKERS)}."
    )
