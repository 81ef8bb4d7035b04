"""The relay's durable local log."""

from services.relay.journal.journal import FileJournal

__all__ = ["FileJournal"]
