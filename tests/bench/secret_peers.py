"""Runs the peer scanners over a folder of numbered files; prints one JSON object. Needs only the peers installed.

    PYTHON secret_peers.py FOLDER

Each runs as shipped: every plug-in or rule that is on by default, no network verification.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path


def detect_secrets(files: list[Path]) -> dict[int, list[str]]:
    """detect-secrets with its default plug-ins and filters."""
    from detect_secrets import SecretsCollection
    from detect_secrets.settings import default_settings, get_settings

    found: dict[int, list[str]] = defaultdict(list)
    with default_settings():
        get_settings().disable_filters("detect_secrets.filters.common.is_ignored_due_to_verification_policies")
        secrets = SecretsCollection()
        for file in files:
            secrets.scan_file(str(file))
        for name, secret in secrets:
            found[int(Path(name).stem)].append(secret.secret_value or "")
    return found


def credsweeper(folder: Path) -> dict[int, list[str]]:
    """credsweeper's command with its machine-learning filter, as by default."""
    found: dict[int, list[str]] = defaultdict(list)
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        command = [
            str(Path(sys.executable).with_name("credsweeper")),
            "--path",
            str(folder),
            "--save-json",
            report.name,
        ]
        subprocess.run(command, capture_output=True, timeout=500, check=True)
        for row in json.loads(Path(report.name).read_text()):
            for line in row["line_data_list"]:
                found[int(Path(line["path"]).stem)].append(line["value"] or "")
    return found


def kingfisher(files: list[Path]) -> dict[int, list[str]]:
    """kingfisher's built-in rules at its default confidence."""
    import kingfisher_sdk

    found: dict[int, list[str]] = defaultdict(list)
    scanner = kingfisher_sdk.Scanner()
    for file in files:
        for finding in scanner.scan_file(str(file)):
            found[int(file.stem)].append(finding.secret)
    return found


def main() -> None:
    """Prints the findings of each."""
    folder = Path(sys.argv[1])
    files = sorted(folder.iterdir())
    results = {
        "detect-secrets": detect_secrets(files),
        "credsweeper": credsweeper(folder),
        "kingfisher": kingfisher(files),
    }
    print(json.dumps(results))


if __name__ == "__main__":
    main()
