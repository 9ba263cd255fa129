"""Who may use the service, how much, and what is written down about it.

``authenticate`` turns a credential into a ``Principal``; ``limits`` counts what a principal does;
``audit`` records it; ``uploads`` looks at files before anything is stored; ``body`` and ``headers`` are
ASGI middleware; ``exposure`` refuses to serve without authentication where others could reach it.
"""
