"""What reading a call has found so far, passed along by those who read it."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.firewall.domain.model import SemanticKind as K


@dataclass(slots=True)
class Effects:
    """What was found so far. `texts` are strings that other readers must judge: SQL, code, URLs of network tools."""

    certain: set[K] = field(default_factory=set)
    possible: set[K] = field(default_factory=set)
    sql: list[str] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    scripts: int = 0

    def add(self, kinds: set[K]) -> None:
        """Seen for sure."""
        self.certain |= kinds

    def doubt(self, *kinds: K) -> None:
        """May be hidden here."""
        self.possible.update(kinds)
