"""What `helm test` runs: logs in, mints a key, sends one chat completion through the echo model, deletes the key.

Reads RELAY_URL, MANAGEMENT_URL, ADMIN_EMAIL and ADMIN_PASSWORD; exits non-zero with the step that failed.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import httpx

TEXT = "hello from the smoke test"
TIMEOUT_S = 20.0


def run(relay_url: str, management_url: str, email: str, password: str) -> str:
    """The echoed text. Raises httpx.HTTPError, KeyError."""
    with httpx.Client(base_url=management_url, timeout=TIMEOUT_S, trust_env=False) as management:
        login = _data(management.post("/api/user/login", json={"email": email, "password": password}))
        management.headers["X-CSRF-Token"] = login["csrf_token"]
        key = _data(management.post("/api/token", json={"name": "smoke", "credit_limit_usd": "0.01"}))
        try:
            answer = httpx.post(
                f"{relay_url}/v1/chat/completions",
                headers={"Authorization": f"Bearer {key['key']}"},
                json={"model": "orca/echo", "messages": [{"role": "user", "content": TEXT}]},
                timeout=TIMEOUT_S,
                trust_env=False,
            )
            answer.raise_for_status()
            return str(answer.json()["choices"][0]["message"]["content"])
        finally:
            management.delete(f"/api/token/{key['id']}")


def _data(answer: httpx.Response) -> Any:
    answer.raise_for_status()
    return answer.json()["data"]


def main() -> None:
    """Entry point."""
    names = ("RELAY_URL", "MANAGEMENT_URL", "ADMIN_EMAIL", "ADMIN_PASSWORD")
    try:
        text = run(*(os.environ[name] for name in names))
    except (httpx.HTTPError, KeyError) as error:
        sys.exit(f"smoke test failed: {type(error).__name__}: {error}")
    if text != TEXT:
        sys.exit("smoke test failed: the echo model answered something else")
    print("smoke test passed")


if __name__ == "__main__":
    main()
