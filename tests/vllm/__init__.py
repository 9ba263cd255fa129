"""A real vLLM server for the tests: its own environment, a tiny random model, a fixture."""
