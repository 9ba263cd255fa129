"""Release diff: what changed between two releases, from documents to measured quality."""
