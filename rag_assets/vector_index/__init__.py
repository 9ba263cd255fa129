"""The LanceDB table: vectors, full text and filters; one atomic commit per shard."""
