"""Erasure: what has to be forgotten, who knows how to erase it where, and the receipt.

``base`` is the protocol, ``requests`` remembers what was asked for, ``subject`` and ``phrases`` say
what to look for, ``tables`` is what erasers of Parquet tables share, ``byte_search`` looks into every
file at the end.
"""
