"""One file per command of ``ragline``."""
