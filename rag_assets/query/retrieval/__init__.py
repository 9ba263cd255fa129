"""Retrieval: the legs of the search, their fusion, and scores of whole documents."""
