"""Releases: the registry, the gates, and the promotion of a candidate index."""
