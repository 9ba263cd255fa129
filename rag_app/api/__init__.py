"""The HTTP service: native routes, OpenAI-compatible routes, MCP and pages in one application."""
