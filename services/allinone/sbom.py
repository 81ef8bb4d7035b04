"""Prints a CycloneDX bill of materials of the installed packages: `python -m services.allinone.sbom`."""

from __future__ import annotations

import json
import re
from importlib.metadata import Distribution, distributions
from typing import Any

SPEC_VERSION = "1.6"


def components() -> list[dict[str, Any]]:
    """One component per installed distribution, by name."""
    found = {canonical(dist.metadata["Name"]): dist for dist in distributions() if dist.metadata["Name"]}
    return [_component(name, dist) for name, dist in sorted(found.items())]


def canonical(name: str) -> str:
    """A distribution's name as package URLs spell it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def document() -> dict[str, Any]:
    """The whole document; without a time, so that equal images have equal ones."""
    return {"bomFormat": "CycloneDX", "specVersion": SPEC_VERSION, "version": 1, "components": components()}


def _component(name: str, dist: Distribution) -> dict[str, Any]:
    purl = f"pkg:pypi/{name}@{dist.version}"
    return {"type": "library", "bom-ref": purl, "name": name, "version": dist.version, "purl": purl}


if __name__ == "__main__":
    print(json.dumps(document(), indent=1))
