"""What is known of one call, each part worked out once and only when a rule asks for it."""

from __future__ import annotations

from services.firewall.domain.actions import Actions, actions_of
from services.firewall.domain.arguments import Arguments, read_arguments
from services.firewall.domain.destinations import UNREADABLE, Destination, destinations
from services.firewall.domain.model import CALL_SURFACES, Surface
from services.firewall.domain.outcome import Call


class CallFacts:
    """One call on one surface; `arguments` is None where the surface has none."""

    __slots__ = ("_actions", "_destinations", "arguments", "call", "index", "surface")

    def __init__(self, index: int, call: Call, surface: Surface) -> None:
        self.index = index
        self.call = call
        self.surface = surface
        self.arguments: Arguments | None = read_arguments(call.arguments_json) if surface in CALL_SURFACES else None
        self._destinations: tuple[Destination, ...] | None = None
        self._actions: Actions | None = None

    @property
    def destinations(self) -> tuple[Destination, ...]:
        """Every place the call would reach out to; arguments that cannot be read may lead anywhere."""
        if self._destinations is None:
            arguments = self.arguments
            if arguments is None:
                self._destinations = ()
            elif not arguments.valid:
                self._destinations = (*destinations(None, self.call.destinations), UNREADABLE)
            else:
                self._destinations = destinations(arguments.value, self.call.destinations)
        return self._destinations

    @property
    def actions(self) -> Actions:
        """What the call does, as parsing its arguments shows."""
        if self._actions is None:
            arguments = self.arguments
            value = arguments.value if arguments is not None and arguments.valid else None
            self._actions = actions_of(value, self.call.tool_name)
        return self._actions
