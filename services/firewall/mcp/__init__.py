"""The MCP gateway: registered servers, the client that reaches them, the server that merges them."""
