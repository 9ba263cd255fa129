"""Forgetting: take a document out of every place that may keep it, and look whether it is gone."""
