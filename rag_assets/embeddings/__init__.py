"""One vector per distinct chunk text and encoder: computed once, kept, shared between shards."""
