"""Several long-running processes on one machine that live and end together."""
