"""``ragline mcp``."""

from rag_app.output import Groups


def mcp(groups: Groups = "") -> None:
    """Serve the tools of MCP on standard input and output, for an agent on this machine."""
    from rag_app.mcp_server.stdio import run_stdio
    from rag_assets.platform.platform import Platform

    run_stdio(Platform.load(), groups.split(","))
