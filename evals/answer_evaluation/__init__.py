"""How good the answers are, with and without a judge."""
