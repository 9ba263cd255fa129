"""Rerankers: a second, closer look at the passages that were found, behind one protocol."""
