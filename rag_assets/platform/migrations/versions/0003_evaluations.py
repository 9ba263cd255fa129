"""Evaluations, judgements, and what is known of every day of real use."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "evaluations",
        sa.Column("evaluation_id", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("dataset", sa.Text, nullable=False),
        sa.Column("release_id", sa.Integer, nullable=False),
        sa.Column("baseline_release_id", sa.Integer),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_id", sa.String(64), nullable=False),
        sa.Column("questions_version", sa.String(64), nullable=False),
        sa.Column("summary", sa.JSON, nullable=False),
    )
    op.create_index("evaluations_by_release", "evaluations", ["release_id", "kind"])
    op.create_table(
        "judgements",
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
    op.create_table(
        "judgement_documents",
        sa.Column(
            "key",
            sa.String(64),
            sa.ForeignKey("judgements.key", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("document_id", sa.Text, primary_key=True),
    )
    op.create_index("judgements_by_document", "judgement_documents", ["document_id"])
    op.create_table(
        "query_days",
        sa.Column("day", sa.String(10), primary_key=True),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_id", sa.String(64), nullable=False),
        sa.Column("summary", sa.JSON, nullable=False),
    )
    op.create_table(
        "query_costs",
        sa.Column("day", sa.String(10), primary_key=True),
        sa.Column("answerer", sa.String(128), primary_key=True),
        sa.Column("model", sa.String(256), primary_key=True),
        sa.Column("queries", sa.Integer, nullable=False),
        sa.Column("prompt_tokens", sa.Integer, nullable=False),
        sa.Column("completion_tokens", sa.Integer, nullable=False),
        sa.Column("cost_usd", sa.Float, nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_id", sa.String(64), nullable=False),
    )
    op.create_table(
        "live_judgements",
        sa.Column("day", sa.String(10), primary_key=True),
        sa.Column("answer_id", sa.String(64), primary_key=True),
        sa.Column("metric", sa.String(128), primary_key=True),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("judge", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("score", sa.Float),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("calls", sa.Integer, nullable=False),
        sa.Column("prompt_tokens", sa.Integer, nullable=False),
        sa.Column("completion_tokens", sa.Integer, nullable=False),
        sa.Column("cost_usd", sa.Float, nullable=False),
        sa.Column("release_id", sa.Integer, nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False),
    )
