"""The tables of the service in the platform database."""

import sqlalchemy as sa

metadata = sa.MetaData()

api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("key_id", sa.String(32), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    # of the secret: 256 random bits cannot be guessed, so a slow hash would protect nothing
    sa.Column("key_sha256", sa.String(64), nullable=False),
    sa.Column("groups", sa.JSON, nullable=False),
    sa.Column("scopes", sa.JSON, nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("expires_at", sa.DateTime(timezone=True)),
    sa.Column("revoked_at", sa.DateTime(timezone=True)),
    sa.Column("last_used_at", sa.DateTime(timezone=True)),
)

# append-only: triggers of the database refuse to change or delete a row
audit_log = sa.Table(
    "audit_log",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("principal", sa.Text, nullable=False),
    sa.Column("action", sa.String(64), nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("release_id", sa.Integer),
    sa.Column("outcome", sa.String(32), nullable=False),
    sa.Column("request_id", sa.String(128), nullable=False),
    sa.Column("details", sa.JSON, nullable=False),
    sa.Index("audit_log_by_time", "at"),
    sa.Index("audit_log_by_principal", "principal", "at"),
    sa.Index("audit_log_by_action", "action", "at"),
)

feedback = sa.Table(
    "feedback",
    metadata,
    sa.Column("feedback_id", sa.String(64), primary_key=True),
    # no foreign key: with query.log = "off" an answer has no row, and may be judged all the same
    sa.Column("answer_id", sa.String(64), nullable=False),
    sa.Column("principal", sa.Text, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("rating", sa.Integer, nullable=False),
    sa.Column("comment", sa.Text, nullable=False),
    sa.Column("corrected_citations", sa.JSON, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("question_id", sa.Text),
    sa.CheckConstraint("rating IN (-1, 0, 1)", name="feedback_rating"),
    sa.CheckConstraint("status IN ('new', 'accepted', 'rejected')", name="feedback_status"),
    sa.Index("feedback_by_answer", "answer_id"),
    sa.Index("feedback_by_status", "status", "at"),
)
