"""Evidence: how well sentences support an answer, checked citations, calibrated abstention."""
