"""Writes what is known about the settings into `.env.example`, `docs/configure.md` and the chart: `make docs`.

All are generated from the settings models, so that a variable cannot exist without its line; a test compares them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from services.allinone.profile import MODELS, ProfileSettings
from services.common.settings import PREFIX, OrcaSettings

ROOT = Path(__file__).resolve().parents[2]
CHART = Path("deploy/helm/orca")
EVERY = "every process"


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable as a reader needs it."""

    name: str
    default: str
    description: str
    secret: bool


def variables() -> Mapping[str, list[Variable]]:
    """Variables by the service that reads them, shared ones first; one that several services add is at the first."""
    seen: set[str] = set()
    groups: dict[str, list[Variable]] = {}
    models: dict[str, type[OrcaSettings]] = {EVERY: OrcaSettings, "the process": ProfileSettings, **MODELS}
    for group, model in models.items():
        found = [variable for variable in _of(model) if variable.name not in seen]
        seen.update(variable.name for variable in found)
        if found:
            groups[group] = found
    return groups


def _of(model: type[OrcaSettings]) -> Iterator[Variable]:
    for name, field in model.model_fields.items():
        secret = field.annotation is SecretStr
        yield Variable(
            field.alias or f"{PREFIX}{name.upper()}", _default(field, secret), field.description or "", secret
        )


def _default(field: FieldInfo, secret: bool) -> str:
    value = field.get_default(call_default_factory=True, validated_data={})
    if secret or value is None or value is PydanticUndefined:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def env_example() -> str:
    """`.env.example`: every variable, commented out, with its default."""
    lines = [
        "# Orca's settings with their defaults. All are optional in the embedded profile (`make run`); outside it,",
        "# secrets must be set. An ORCA_… variable that is not listed here stops the start.",
        "# Generated from the settings models by `make docs`.",
    ]
    for group, found in variables().items():
        lines += ["", f"# Read by {group}:"]
        for variable in found:
            lines += ["", f"# {variable.description}", f"# {variable.name}={variable.default}"]
    return "\n".join(lines) + "\n"


def configure_markdown() -> str:
    """`docs/configure.md`: the same as tables."""
    lines = [
        "# Configure",
        "",
        "Everything is configured by environment variables, read once at the start. A value that is out of range, or",
        "an `ORCA_…` variable that no service knows, stops the start with a message; `orca config` prints what is in",
        "effect, with secrets redacted. In the embedded profile secrets are generated into `ORCA_HOME`; in any other",
        "profile a missing secret stops the start. This page is generated from the settings models by `make docs`.",
    ]
    for group, found in variables().items():
        lines += ["", f"## Read by {group}", "| variable | default | meaning |", "|---|---|---|"]
        for variable in found:
            default = "secret" if variable.secret else f"`{variable.default}`" if variable.default else "unset"
            lines.append(f"| `{variable.name}` | {default} | {variable.description} |")
    return "\n".join(lines) + "\n"


def values_schema() -> str:
    """The chart's schema; `extraEnv` takes variables that exist, hold no secret and are not the chart's own."""
    schema = json.loads((ROOT / CHART / "values.schema.json").read_text(encoding="utf-8"))
    helpers = (ROOT / CHART / "templates/_helpers.tpl").read_text(encoding="utf-8")
    own = set(re.findall(r"ORCA_[A-Z_]+[A-Z]", helpers))
    free = [v.name for found in variables().values() for v in found if not v.secret and v.name not in own]
    names = sorted(name for name in free if not re.fullmatch(r"ORCA_[A-Z]+_(GRPC|URL)", name))
    schema["properties"]["extraEnv"]["propertyNames"]["enum"] = names
    return json.dumps(schema, indent=2) + "\n"


def files() -> Mapping[Path, str]:
    """Contents by path, relative to the project."""
    return {
        Path(".env.example"): env_example(),
        Path("docs/configure.md"): configure_markdown(),
        CHART / "values.schema.json": values_schema(),
    }


def main() -> None:
    """Writes the files."""
    for path, text in files().items():
        (ROOT / path).write_text(text, encoding="utf-8")
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
