"""Chunks: parsed documents cut into passages with exact spans, each small enough to be embedded.

``transform.chunk_documents`` turns the table of parsed documents into the table of chunks and does
the work only for documents that changed. Splitters stand behind one protocol (``base.py``) and are
chosen by name (``registry.py``).
"""
