"""What was live when and why, who holds promotions back, and what has to be forgotten."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("releases", sa.Column("configuration", sa.JSON))
    op.add_column(
        "releases", sa.Column("judged_with", sa.String(64), nullable=False, server_default="")
    )
    op.add_column("releases", sa.Column("removed_at", sa.DateTime(timezone=True)))
    # up to here the version of a rejected release lost its tag at once
    op.execute("UPDATE releases SET removed_at = created_at WHERE status = 'rejected'")
    op.create_table(
        "release_events",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("release_id", sa.Integer),
        sa.Column("event", sa.String(16), nullable=False),
        sa.Column("actor", sa.Text, nullable=False, server_default=""),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("details", sa.JSON, nullable=False),
    )
    op.create_index("release_events_by_time", "release_events", ["at"])
    op.execute(
        "INSERT INTO release_events (at, release_id, event, actor, reason, details) "
        "SELECT promoted_at, id, 'promoted', '', '', '{}' FROM releases "
        "WHERE promoted_at IS NOT NULL ORDER BY promoted_at, id"
    )
    op.create_table(
        "release_holds",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_table(
        "deployment",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "erasures",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("document_id", sa.Text, nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True)),
        sa.Column("lifted_at", sa.DateTime(timezone=True)),
        sa.Column("actor", sa.Text, nullable=False, server_default=""),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("receipt", sa.JSON),
    )
    op.create_index("erasures_by_document", "erasures", ["document_id"])
