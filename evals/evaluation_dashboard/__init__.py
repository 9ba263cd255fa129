"""The page a quality owner reads."""
