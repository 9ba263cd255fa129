"""When does it run? Definitions, jobs, what is pending, the ingest and the status of everything."""
