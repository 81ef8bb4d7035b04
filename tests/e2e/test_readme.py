"""What the README tells a first user to paste works, in its order, against a running product."""

from __future__ import annotations

import re
from typing import Any

import httpx

from tests.e2e.conftest import Management, Product
from tests.support.process import ADMIN_EMAIL, ADMIN_PASSWORD, ROOT

EXAMPLES = re.compile(r"```python\n(.*?)```", re.DOTALL)


def test_the_readmes_examples_run_as_they_stand(product: Product, management: Management, capsys: Any) -> None:
    own_key = management.call("POST", "/api/token", {"name": "readme", "credit_limit_usd": "1"})["key"]
    here = {
        "http://127.0.0.1:8080": product.relay_url,
        "http://127.0.0.1:8081": product.management_url,
        "sk-orca-…": own_key,
        "admin@orca.local": ADMIN_EMAIL,
        '"password": "…"': f'"password": "{ADMIN_PASSWORD}"',
        '"sk-…"': '"made-up"',
    }
    use, administer = EXAMPLES.findall((ROOT / "README.md").read_text())
    for text, ours in here.items():
        assert text in use + administer, text
        use, administer = use.replace(text, ours), administer.replace(text, ours)

    used: dict[str, Any] = {}
    exec(use, used)
    assert [model.id for model in used["client"].models.list() if model.id.startswith("orca/")] == ["orca/echo"]

    capsys.readouterr()
    exec(administer, {})
    tenant_key, access_token = capsys.readouterr().out.split()
    listed = httpx.get(f"{product.relay_url}/v1/models", headers={"Authorization": f"Bearer {tenant_key}"}, timeout=30)
    assert [model["id"] for model in listed.json()["data"]] == ["openai/gpt-4o-mini"]
    mine = httpx.get(
        f"{product.management_url}/api/user/self", headers={"Authorization": f"Bearer {access_token}"}, timeout=30
    )
    assert mine.json()["data"]["email"] == ADMIN_EMAIL
