"""Ragline as an MCP server: tools for agents, with the rights of who calls them."""
