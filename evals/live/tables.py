"""What is known of every day of real use, in the platform database; a day is replaced as a whole."""

import sqlalchemy as sa

metadata = sa.MetaData()
query_days = sa.Table(
    "query_days",
    metadata,
    sa.Column("day", sa.String(10), primary_key=True),  # UTC, ISO 8601
    sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("run_id", sa.String(64), nullable=False),
    sa.Column("summary", sa.JSON, nullable=False),
)
query_costs = sa.Table(
    "query_costs",
    metadata,
    sa.Column("day", sa.String(10), primary_key=True),
    sa.Column("answerer", sa.String(128), primary_key=True),
    sa.Column("model", sa.String(256), primary_key=True),  # "" without an LLM
    sa.Column("queries", sa.Integer, nullable=False),
    sa.Column("prompt_tokens", sa.Integer, nullable=False),
    sa.Column("completion_tokens", sa.Integer, nullable=False),
    sa.Column("cost_usd", sa.Float, nullable=False),
    sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("run_id", sa.String(64), nullable=False),
)
live_judgements = sa.Table(
    "live_judgements",
    metadata,
    sa.Column("day", sa.String(10), primary_key=True),
    sa.Column("answer_id", sa.String(64), primary_key=True),
    sa.Column("metric", sa.String(128), primary_key=True),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("judge", sa.Text, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("score", sa.Float),  # null unless status is ok
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("calls", sa.Integer, nullable=False),
    sa.Column("prompt_tokens", sa.Integer, nullable=False),
    sa.Column("completion_tokens", sa.Integer, nullable=False),
    sa.Column("cost_usd", sa.Float, nullable=False),
    sa.Column("release_id", sa.Integer, nullable=False),
    sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False),
)
