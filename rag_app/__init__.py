"""How people get in: the command line, and later the HTTP API, the chat page and the dashboard."""
