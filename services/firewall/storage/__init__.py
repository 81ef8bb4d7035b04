"""Firewall's own tables; no other service reads or writes them."""
