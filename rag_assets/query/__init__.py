"""The query path: search the released index with the caller's rights, answer, cite."""
