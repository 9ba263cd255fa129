"""The tables of the registry in the platform database; Alembic creates them."""

import sqlalchemy as sa

metadata = sa.MetaData()
releases = sa.Table(
    "releases",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("promoted_at", sa.DateTime(timezone=True)),
    sa.Column("retired_at", sa.DateTime(timezone=True)),
    sa.Column("removed_at", sa.DateTime(timezone=True)),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.Column("table_name", sa.String(128), nullable=False),
    sa.Column("lance_version", sa.Integer, nullable=False),
    sa.Column("fingerprints", sa.JSON, nullable=False),
    sa.Column("partitions", sa.JSON, nullable=False),
    sa.Column("documents", sa.Integer, nullable=False),
    sa.Column("chunks", sa.Integer, nullable=False),
    sa.Column("manifest_sha256", sa.String(64), nullable=False),
    sa.Column("metrics", sa.JSON, nullable=False),
    sa.Column("run_id", sa.String(64), nullable=False, server_default=""),
    sa.Column("parameters", sa.JSON(none_as_null=True)),
    sa.Column("configuration", sa.JSON(none_as_null=True)),
    sa.Column("judged_with", sa.String(64), nullable=False, server_default=""),
)
release_events = sa.Table(
    "release_events",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("release_id", sa.Integer),
    sa.Column("event", sa.String(16), nullable=False),
    sa.Column("actor", sa.Text, nullable=False, server_default=""),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.Column("details", sa.JSON, nullable=False),
    sa.Index("release_events_by_time", "at"),
)
release_holds = sa.Table(
    "release_holds",
    metadata,
    # one row at most: promotions are held back or they are not
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("since", sa.DateTime(timezone=True), nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)
