"""What the service keeps in the platform database: API keys, the audit log, feedback.

The tables stand here, below the service, so that the erasures know them (``erasure.py``).
"""
