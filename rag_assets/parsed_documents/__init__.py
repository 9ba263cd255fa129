"""Parsed documents: the Markdown text of every document, or the reason why there is none.

``extract`` turns the bytes of one file into text, ``workers`` runs it in processes that can be
killed, ``pending`` decides what has to be parsed, ``transform`` makes the new table.
"""
