"""One file a group of routes, each with a ``router``."""
