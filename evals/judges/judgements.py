"""Judgements by content, in the platform database: nothing is judged twice, and a run resumes."""

import sqlalchemy as sa

metadata = sa.MetaData()
judgements = sa.Table(
    "judgements",
    metadata,
    # sha256 of metric, version, judge and sample
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("metric", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("judge", sa.Text, nullable=False),
    sa.Column("score", sa.Float, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("verdicts", sa.Integer, nullable=False),
    sa.Column("calls", sa.Integer, nullable=False),
    sa.Column("prompt_tokens", sa.Integer, nullable=False),
    sa.Column("completion_tokens", sa.Integer, nullable=False),
    sa.Column("cost_usd", sa.Float, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("judged_at", sa.DateTime(timezone=True), nullable=False),
)
# a reason may repeat a document's words: what a removal of all its traces has to find
judgement_documents = sa.Table(
    "judgement_documents",
    metadata,
    sa.Column(
        "key",
        sa.String(64),
        sa.ForeignKey("judgements.key", ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column("document_id", sa.Text, primary_key=True),
    sa.Index("judgements_by_document", "document_id"),
)
