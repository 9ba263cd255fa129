"""Answerers: from passages to an answer with markers, behind one protocol."""
