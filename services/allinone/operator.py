"""Operator commands reach the embedded process through a Unix socket in its state directory.

One JSON object per connection, one answer. Whoever can open the socket (mode 0600, in a 0700 directory) is
the operator; there is no other check.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prometheus_client import REGISTRY, exposition

from services.allinone.doctor import readings
from services.common.errors import Invalid, OrcaError, Unavailable

SOCKET = "operator.sock"
REQUEST_MAX_BYTES = 64 * 1024
TIMEOUT_S = 30.0


async def ask(home: Path, command: str, arguments: Mapping[str, str]) -> dict[str, Any]:
    """Sends one command to the running process. Raises Unavailable when none runs."""
    try:
        reader, writer = await asyncio.open_unix_connection(str(home / SOCKET))
    except OSError:
        raise Unavailable(f"no Orca runs with its state in {home} (ORCA_HOME); start it first") from None
    writer.write(json.dumps({"command": command, **arguments}).encode() + b"\n")
    await writer.drain()
    async with asyncio.timeout(TIMEOUT_S):
        line = await reader.readline()
    writer.close()
    answer: dict[str, Any] = json.loads(line)
    return answer


class OperatorSocket:
    """Serves operator commands of one running embedded profile."""

    def __init__(self, home: Path, running: Any) -> None:
        self._path = home / SOCKET
        self._running = running
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listens; a socket left by a killed predecessor is replaced (the state lock excludes a live one)."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        self._server = await asyncio.start_unix_server(self._serve, str(self._path), limit=REQUEST_MAX_BYTES)
        os.chmod(self._path, 0o600)

    async def stop(self) -> None:
        """Stops listening."""
        if self._server is not None:
            self._server.close()
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                request = json.loads(await reader.readline())
                answer = await self._answer(request)
        except OrcaError as error:
            answer = {"ok": False, "code": error.code, "message": error.message}
        except (ValueError, TimeoutError, ConnectionError):
            answer = {"ok": False, "code": "invalid_request", "message": "the command cannot be read"}
        with contextlib.suppress(ConnectionError):
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()

    async def _diagnosis(self) -> dict[str, Any]:
        apps = self._running.apps
        checks = {name: dict(app.ready()) for name, app in apps.items()}
        try:
            books = dict((await apps["analytics"].audit()).differences)
            # Raw rows and roll-ups are one store's and must agree; the ledger's reading is of another moment.
            checks["books"] = {name: difference == 0 for name, difference in books.items() if name != "ledger"}
        except OrcaError:
            books, checks["books"] = {}, {"readable": False}
        found = readings("process", exposition.generate_latest(REGISTRY).decode(), time.time())
        checks["readings"] = {finding.name: finding.ok for finding in found if ".books." not in finding.name}
        faults = [f"{name}.{part}" for name, check in checks.items() for part, well in check.items() if not well]
        return {"ok": not faults, "checks": checks, "faults": faults, "book_differences": books}

    async def _answer(self, request: Mapping[str, str]) -> dict[str, Any]:
        auth = self._running.apps["auth"]
        match request.get("command"):
            case "doctor":
                return await self._diagnosis()
            case "erase":
                subject, subject_id = next(
                    ((name, request[name]) for name in ("user", "key") if request.get(name)), ("", "")
                )
                erased = await self._running.apps["analytics"].erase(subject, subject_id)
                return {"ok": erased.left == 0, "id": erased.id, "tables": erased.tables, "rows_left": erased.left}
            case "reset-password":
                email, password = await auth.reset_password(request.get("email") or None)
                return {"ok": True, "email": email, "password": password}
            case "new-key":
                key_id, key = await auth.new_key(request.get("name") or "operator")
                return {"ok": True, "id": key_id, "key": key}
        raise Invalid("unknown command")
