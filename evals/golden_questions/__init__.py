"""The questions whose answers are known: where they come from, and where their evidence is now."""
