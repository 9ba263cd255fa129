"""The query log, and what a release learned from golden questions."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("releases", sa.Column("parameters", sa.JSON))
    op.create_table(
        "answers",
        sa.Column("answer_id", sa.String(64), primary_key=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("release_id", sa.Integer, nullable=False),
        sa.Column("question", sa.Text),
        sa.Column("question_sha256", sa.String(64), nullable=False),
        sa.Column("groups", sa.JSON, nullable=False),
        sa.Column("authenticated", sa.Boolean, nullable=False),
        sa.Column("admin", sa.Boolean, nullable=False),
        sa.Column("filter", sa.JSON),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("answer", sa.Text),
        sa.Column("answer_sha256", sa.String(64), nullable=False),
        sa.Column("abstained", sa.Boolean, nullable=False),
        sa.Column("confidence", sa.Float),
        sa.Column("citations", sa.JSON, nullable=False),
        sa.Column("support", sa.JSON, nullable=False),
        sa.Column("passages", sa.JSON, nullable=False),
        sa.Column("answerer", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("prompt_tokens", sa.Integer, nullable=False),
        sa.Column("completion_tokens", sa.Integer, nullable=False),
        sa.Column("cost_usd", sa.Float, nullable=False),
        sa.Column("timings_ms", sa.JSON, nullable=False),
        sa.Column("degraded", sa.JSON, nullable=False),
        sa.Column("parameters", sa.JSON, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
    )
    op.create_index("answers_by_time", "answers", ["asked_at"])
    # which answers a document went into: what a removal of all its traces has to find
    op.create_table(
        "answer_documents",
        sa.Column(
            "answer_id",
            sa.String(64),
            sa.ForeignKey("answers.answer_id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("document_id", sa.Text, primary_key=True),
    )
    op.create_index("answers_by_document", "answer_documents", ["document_id"])
