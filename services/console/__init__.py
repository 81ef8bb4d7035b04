"""Console: the single management entry point."""
