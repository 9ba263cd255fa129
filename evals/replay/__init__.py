"""Replay: yesterday's real questions, asked of a candidate and of the live release."""
