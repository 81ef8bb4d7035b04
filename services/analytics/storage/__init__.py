"""The relational side of analytics: block bounds."""
