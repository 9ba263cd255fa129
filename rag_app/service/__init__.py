"""What every way in shares: the engine, its worker threads, the releases that a caller names."""
