"""The relational side of analytics: block bounds, workspaces, anomaly episodes, erasures."""
