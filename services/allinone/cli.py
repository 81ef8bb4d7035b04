"""The `orca` command: starts a profile, or talks to a running one through its socket."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import shutil
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from services.allinone.hosting import BindError, settle_heap
from services.allinone.profile import MODELS, Settings, UnknownVariables, load
from services.common.errors import OrcaError
from services.common.settings import PREFIX
from services.common.telemetry import configure_logging

EXIT_USAGE = 2
SWITCH_INTERVAL_S = 0.0005


def main(argv: list[str] | None = None) -> None:
    """Entry point."""
    args = _parser().parse_args(argv)
    try:
        settings = load()
    except UnknownVariables as error:
        _fail(f"unknown variables: {error} (see .env.example for those that exist)")
    except ValidationError as error:
        lines = [f"{PREFIX}{'.'.join(map(str, item['loc'])).upper()}: {item['msg']}" for item in error.errors()]
        _fail("\n".join(lines))
    configure_logging(settings.profile.log_level)
    command: Callable[[Settings, argparse.Namespace], int] = args.command
    try:
        sys.exit(command(settings, args))
    except (BindError, OrcaError, OSError, ValueError) as error:
        _fail(str(error))


def _fail(message: str) -> None:
    print(f"orca: {message}", file=sys.stderr)
    sys.exit(EXIT_USAGE)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="orca", description="Orca, the AI security gateway")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="run the embedded profile in the foreground")
    up.set_defaults(command=_up)
    serve = commands.add_parser("serve", help="run one service of the distributed profile")
    serve.add_argument("service", choices=sorted(MODELS))
    serve.set_defaults(command=_serve)
    migrate = commands.add_parser("migrate", help="apply all migrations of the distributed profile and stop")
    migrate.set_defaults(command=_migrate)
    replay = commands.add_parser("replay", help="rebuild a projection from the event log, its service stopped")
    replay.add_argument("projection", choices=["ledger", "analytics"])
    replay.add_argument("--into", default="", metavar="URL", help="another database (default: the ledger's own)")
    replay.set_defaults(command=_replay)
    doctor = commands.add_parser("doctor", help="check a deployment: every dependency, lag, journal, snapshots, clock")
    doctor.add_argument(
        "--probe", action="append", default=[], metavar="URL", help="a process's metrics address, distributed profile"
    )
    doctor.set_defaults(command=_doctor)
    erase = commands.add_parser("erase", help="remove one user's or one key's personal data from the event tables")
    whose = erase.add_mutually_exclusive_group(required=True)
    whose.add_argument("--user", default="", metavar="ID")
    whose.add_argument("--key", default="", metavar="ID")
    erase.set_defaults(command=_socket("erase"))
    config = commands.add_parser("config", help="print the effective settings, redacted")
    config.set_defaults(command=_config)
    anomaly = commands.add_parser("anomaly", help="try the anomaly scorer")
    backtest = anomaly.add_subparsers(required=True, metavar="VERB").add_parser(
        "backtest", help="score a history of timestamp,value lines; one JSON line per bucket"
    )
    backtest.add_argument("file", type=Path, metavar="FILE.csv")
    backtest.add_argument("--tz", default="UTC", help="time zone of the week (default UTC)")
    backtest.add_argument("--metric", choices=("count", "cost"), help="default: counts if all values are whole")
    backtest.set_defaults(command=_backtest)
    admin = commands.add_parser("admin", help="regain access to a running embedded instance")
    verbs = admin.add_subparsers(required=True, metavar="VERB")
    reset = verbs.add_parser("reset-password", help="set a new one-time password")
    reset.add_argument("--email", default="")
    reset.set_defaults(command=_socket("reset-password"))
    new_key = verbs.add_parser("new-key", help="mint a relay key in the first workspace")
    new_key.add_argument("--name", default="operator")
    new_key.set_defaults(command=_socket("new-key"))
    audit = commands.add_parser("audit", help="check saved answers of GET /api/audit")
    audit_verbs = audit.add_subparsers(required=True, metavar="VERB")
    verify = audit_verbs.add_parser("verify", help="check the hash chains in a file, offline")
    verify.add_argument("file", type=Path)
    verify.set_defaults(command=_audit_verify)
    return parser


def own_command() -> str:
    """How a person starts this command from here: by its name, or by the path it was started with."""
    started = Path(sys.argv[0])
    return str(started) if started.name == "orca" and shutil.which("orca") is None else "orca"


def _audit_verify(_settings: Settings, args: argparse.Namespace) -> int:
    from services.auth.audit_file import verify

    try:
        verdicts = verify(args.file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        _fail(f"{args.file}: {error}")
    for verdict in verdicts:
        rows = f"workspace {verdict.workspace_id or '(none)'}: rows {verdict.first} to {verdict.last}"
        print(f"{rows}: {verdict.problem or 'whole'}, head {verdict.head}")
    return int(any(verdict.problem for verdict in verdicts))


def _config(settings: Settings, _args: argparse.Namespace) -> int:
    shown: dict[str, Any] = {}
    for _name, model in (("process", settings.profile), *settings.services.items()):
        for field, value in model:
            if isinstance(value, SecretStr):
                value = "(set)" if value.get_secret_value() else "(unset)"
            elif field.endswith("_url") and value and "@" in str(value):
                value = str(value).rpartition("@")[2]
            shown.setdefault(field, value if isinstance(value, str | int | float | bool | None) else str(value))
    print(json.dumps(shown, indent=2, sort_keys=True))
    return 0


def _socket(command: str) -> Callable[[Settings, argparse.Namespace], int]:
    def run(settings: Settings, args: argparse.Namespace) -> int:
        from services.allinone.operator import ask

        arguments = {key: value for key, value in vars(args).items() if isinstance(value, str)}
        answer = asyncio.run(ask(settings.profile.home, command, arguments))
        print(json.dumps(answer, indent=2))
        return 0 if answer.get("ok", True) else 1

    return run


def _doctor(settings: Settings, args: argparse.Namespace) -> int:
    if not (settings.profile.kafka_bootstrap or settings.profile.database_url):
        try:
            return _socket("doctor")(settings, args)
        except OrcaError as error:
            print(json.dumps({"ok": False, "checks": {}, "faults": [f"process: {error.message}"]}, indent=2))
            return 1
    from services.allinone.doctor import diagnose, report

    answer = report(asyncio.run(diagnose(settings, args.probe)))
    print(json.dumps(answer, indent=2))
    return 0 if answer["ok"] else 1


def _backtest(_settings: Settings, args: argparse.Namespace) -> int:
    from services.analytics.backtest import run

    run(args.file, tz=args.tz, metric=args.metric, out=sys.stdout)
    return 0


def _up(settings: Settings, _args: argparse.Namespace) -> int:
    return _run(_embedded(settings))


def _serve(settings: Settings, args: argparse.Namespace) -> int:
    from services.allinone.distributed import serve

    return _run(serve(settings, args.service, _stop_event()))


def _migrate(settings: Settings, _args: argparse.Namespace) -> int:
    from services.allinone.distributed import migrate

    return _run(migrate(settings))


def _replay(settings: Settings, args: argparse.Namespace) -> int:
    from services.allinone.replaying import replay_analytics, replay_ledger

    if args.projection == "analytics":
        return _run(replay_analytics(settings))
    return _run(replay_ledger(settings, args.into))


def _run(main_coroutine: Coroutine[Any, Any, int]) -> int:
    import uvloop

    # Databases and the log work in threads beside the event loop; a shorter turn keeps them from stalling it.
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main_coroutine)


def _stop_event() -> Callable[[], asyncio.Event]:
    def make() -> asyncio.Event:
        event = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, event.set)
        return event

    return make


async def _embedded(settings: Settings) -> int:
    from services.allinone import embedded
    from services.allinone.operator import OperatorSocket

    stop = _stop_event()()
    try:
        lock = embedded.lock_state(settings.profile.home)
    except embedded.StateLocked as error:
        raise BindError(str(error)) from None
    running = await embedded.build(settings)
    operator = OperatorSocket(settings.profile.home, running)
    try:
        await running.start()
        await operator.start()
        settle_heap()
        print(embedded.banner(running, own_command()), flush=True)
        await stop.wait()
    finally:
        await operator.stop()
        await running.stop()
        with contextlib.suppress(OSError):
            import os

            os.close(lock)
    return 0
