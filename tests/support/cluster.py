"""The distributed profile as separate processes: every service over gRPC with mutual TLS, PostgreSQL and Kafka.

Offers what `Embedded` offers, and names its processes so that tests can kill and restart any of them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx

from tests.support.certificates import Authority
from tests.support.kafka import KafkaBroker, require_jars
from tests.support.postgres import Postgres
from tests.support.process import ADMIN_EMAIL, ADMIN_PASSWORD, ADMIN_TOKEN, ROOT, free_port

START_TIMEOUT_S = 90
OWNERS = ("auth", "guardrail", "firewall", "ledger", "analytics")
KEPT_FROM = {
    "ORCA_DATABASE_URL": ("relay", "console"),
    "ORCA_KAFKA_BOOTSTRAP": ("console",),
    "ORCA_KEY_PEPPER": ("guardrail", "ledger", "analytics", "console"),
    "ORCA_CHANNEL_SECRET": ("guardrail", "firewall", "ledger", "analytics", "relay", "console"),
    "ORCA_FINGERPRINT_SECRET": ("auth", "firewall", "ledger", "analytics", "relay", "console"),
    "ORCA_FIREWALL_SECRET": ("auth", "guardrail", "ledger", "analytics", "relay", "console"),
}
"""Who does not get which secret or store, as in the chart and in compose."""
SECRET = "c2VjcmV0LW9mLXRoZS10ZXN0LXN1aXRlLTMyLWJ5dGU="  # 32 made-up bytes


class Process:
    """One `orca serve`; `start` again after `stop` or `kill` keeps ports and state."""

    def __init__(
        self, name: str, service: str, home: Path, environment: Mapping[str, str], url: str, ready_url: str
    ) -> None:
        self.name = name
        self.service = service
        self.url = url
        self.ready_url = ready_url
        self._home = home
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def errors(self) -> str:
        return (self._home / f"{self.name}.stderr").read_text()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def environment(self) -> dict[str, str]:
        """What it is started with."""
        return dict(self._environment)

    @property
    def metrics_url(self) -> str:
        return f"http://{self._environment['ORCA_METRICS_BIND']}"

    def launch(self) -> None:
        with (
            (self._home / f"{self.name}.stdout").open("ab") as out,
            (self._home / f"{self.name}.stderr").open("ab") as err,
        ):
            self._process = subprocess.Popen(
                [sys.executable, "-m", "services.allinone", "serve", self.service],
                cwd=ROOT,
                env=self._environment,
                stdout=out,
                stderr=err,
            )

    def wait_ready(self) -> None:
        begun = time.monotonic()
        while time.monotonic() - begun < START_TIMEOUT_S:
            if self._process is None or self._process.poll() is not None:
                raise RuntimeError(f"{self.name} ended: {self.errors[-3000:]}")
            try:
                if httpx.get(f"{self.ready_url}/readyz", timeout=2).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        raise RuntimeError(f"{self.name} is not ready: {self.errors[-3000:]}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(number)
        try:
            return process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
            raise

    def kill(self) -> None:
        self.stop(signal.SIGKILL)


class Cluster:
    """All processes. `replicas` says how many of a service; relays beyond the first get a port each."""

    def __init__(self, home: Path, replicas: Mapping[str, int] | None = None, **environment: str) -> None:
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        self._replicas = {"relay": 1, "console": 1, **dict.fromkeys(OWNERS, 1), **(replicas or {})}
        self._extra = environment
        self.authority = Authority()
        self.postgres = Postgres(home / "postgres")
        self.kafka: KafkaBroker | None = None
        self.processes: dict[str, Process] = {}

    @property
    def relay_url(self) -> str:
        return self.relay_urls[0]

    @property
    def relay_urls(self) -> list[str]:
        return [p.url for p in self.processes.values() if p.service == "relay"]

    @property
    def management_url(self) -> str:
        return self.processes["console-0"].url

    @property
    def output(self) -> str:
        return "".join(path.read_text() for path in self.home.glob("*.stdout"))

    def start(self) -> Cluster:
        self.postgres.start()
        self.kafka = KafkaBroker(self.home / "kafka", require_jars()).start()
        self._plan(self.postgres.create_database("orca"), self.kafka.bootstrap)
        self.start_processes()
        return self

    def start_processes(self) -> None:
        """Starts every process, auth before the others; for a cluster whose processes were killed."""
        first = [p for p in self.processes.values() if p.service == "auth"]
        rest = [p for p in self.processes.values() if p.service != "auth"]
        for group in (first, rest):
            for process in group:
                process.launch()
            for process in group:
                process.wait_ready()

    def stop(self) -> int:
        """Stops relays first, then the rest; the worst exit code."""
        codes = []
        order = ("relay", "console", "analytics", "ledger", "firewall", "guardrail", "auth")
        for process in sorted(self.processes.values(), key=lambda p: order.index(p.service)):
            codes.append(process.stop())
        if self.kafka is not None:
            self.kafka.stop()
        self.postgres.stop()
        return max(map(abs, codes), default=0)

    def _plan(self, database_url: str, bootstrap: str) -> None:
        grpc = {s: [free_port() for _ in range(n)] for s, n in self._replicas.items() if s != "console"}
        http = {s: [free_port() for _ in range(n)] for s, n in self._replicas.items()}
        shared = {key: value for key, value in os.environ.items() if not key.startswith("ORCA_")} | {
            "PYTHONPATH": f"{ROOT}:{ROOT / 'protos'}",
            "ORCA_DATABASE_URL": database_url,
            "ORCA_KAFKA_BOOTSTRAP": bootstrap,
            "ORCA_KEY_PEPPER": SECRET,
            "ORCA_CHANNEL_SECRET": SECRET,
            "ORCA_FINGERPRINT_SECRET": SECRET,
            "ORCA_FIREWALL_SECRET": SECRET,
            "ORCA_BOOTSTRAP_ADMIN_EMAIL": ADMIN_EMAIL,
            "ORCA_BOOTSTRAP_ADMIN_PASSWORD": ADMIN_PASSWORD,
            "ORCA_BOOTSTRAP_ACCESS_TOKEN": ADMIN_TOKEN,
            "ORCA_UPSTREAM_ALLOW_CIDRS": "127.0.0.0/8",
            "ORCA_ECHO_MODEL": "true",
            "ORCA_DRAIN_DELAY_S": "0",
            **self._extra,
        }
        for service, ports in grpc.items():
            addresses = ",".join(f"127.0.0.1:{port}" for port in ports)
            shared[f"ORCA_{service.upper()}_GRPC"] = f"ipv4:{addresses}"
        for service in OWNERS:
            shared[f"ORCA_{service.upper()}_URL"] = f"https://127.0.0.1:{http[service][0]}"
        binds = {"relay": "ORCA_RELAY_BIND", "console": "ORCA_MANAGEMENT_BIND"}
        for service, ports in http.items():
            for number, port in enumerate(ports):
                name = f"{service}-{number}"
                known = {k: v for k, v in shared.items() if service not in KEPT_FROM.get(k, ())}
                metrics = free_port()
                identity = self.authority.issue(self.home / name / "tls")
                own = {
                    "ORCA_METRICS_BIND": f"127.0.0.1:{metrics}",
                    "ORCA_TLS_CERT_FILE": str(identity.cert),
                    "ORCA_TLS_KEY_FILE": str(identity.key),
                    "ORCA_TLS_CA_FILE": str(identity.ca),
                    binds.get(service, "ORCA_HTTP_BIND"): f"127.0.0.1:{port}",
                    "ORCA_HOME": str(self.home / name),
                    "ORCA_REPLICA_ID": name,
                }
                if service != "console":
                    own["ORCA_GRPC_BIND"] = f"127.0.0.1:{grpc[service][number]}"
                # The planes' ports are plain; the others answer their probes on the metrics port.
                plain = service in binds
                url = f"{'http' if plain else 'https'}://127.0.0.1:{port}"
                probe = url if plain else f"http://127.0.0.1:{metrics}"
                self.processes[name] = Process(name, service, self.home, known | own, url, probe)
