"""Text policy: pure, synchronous, without I/O or clock."""
