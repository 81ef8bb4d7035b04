"""Firewall: judges what an agent does."""
