"""Erasure: what has to be forgotten, who knows how to erase it where, and the receipt."""
