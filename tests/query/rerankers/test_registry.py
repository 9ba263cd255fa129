import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from rag_assets.encoders import Encoder
from rag_assets.platform.errors import RerankerError
from rag_assets.platform.settings import QuerySettings
from rag_assets.query.rerankers.registry import RERANKERS, make_reranker


def test_every_name_of_the_settings_is_made(encoder: Encoder) -> None:
    names = set(get_args(QuerySettings.model_fields["reranker"].annotation)) - {"learned"}
    assert names == set(RERANKERS)
    for name in names:
        assert make_reranker(name, QuerySettings(), encoder).name == name


def test_settings_reach_the_cross_encoder(encoder: Encoder, cross_encoder_folder: Path) -> None:
    settings = QuerySettings(cross_encoder_model=str(cross_encoder_folder))
    reranker = make_reranker("cross_encoder", settings, encoder)
    assert reranker.score("the refund policy?", ["the refund"]).shape == (1,)
    assert reranker.describe()["model"] == str(cross_encoder_folder)


def test_an_unknown_name(encoder: Encoder) -> None:
    for name in ("learned", "best"):
        with pytest.raises(RerankerError, match="term_overlap"):
            make_reranker(name, QuerySettings(), encoder)


def test_making_one_imports_nothing_heavy() -> None:
    code = """
import sys
from pathlib import Path
from rag_assets.encoders import make_encoder
from rag_assets.platform.settings import EncoderSettings, QuerySettings
from rag_assets.query.rerankers.registry import RERANKERS, make_reranker
encoder = make_encoder(EncoderSettings(), Path("nowhere"))
for name in RERANKERS:
    make_reranker(name, QuerySettings(cross_encoder_model="x"), encoder).describe()
heavy = ("torch", "transformers", "sentence_transformers", "openvino", "numpy")
print([name for name in heavy if name in sys.modules])
"""
    folder = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder)
    assert done.stdout.strip() == "[]", done.stderr
