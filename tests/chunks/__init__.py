"""Tests of the chunks: every splitter by one conformance class, the transform by properties."""
