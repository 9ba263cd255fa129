"""Planning: what an ingest would do, and what it would cost."""
