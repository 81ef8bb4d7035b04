"""Writes the table of detectors into `docs/guardrail-secrets.md` from the catalogue: `make docs`. A test keeps it
current."""

from __future__ import annotations

from pathlib import Path

from services.guardrail.domain.secrets import CATALOGUE

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guardrail-secrets.md"
BEGIN, END = "<!-- detectors, printed by `make docs` -->\n", "<!-- end of detectors -->"


def table() -> str:
    """One row per detector, by group in catalogue order."""
    rows = ["| detector | group | form | most bytes |", "|---|---|---|---|"]
    groups = dict.fromkeys(row.group for row in CATALOGUE)
    for group in groups:
        rows += [
            f"| `{row.name}` | {row.group} | {row.form.replace('|', '&#124;')} | {row.max_match:,} |"
            for row in CATALOGUE
            if row.group == group
        ]
    return "\n".join(rows) + "\n"


def rendered(page: str) -> str:
    """The page with its table replaced."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return head + BEGIN + table() + END + tail


def main() -> None:
    """Writes the page."""
    PAGE.write_text(rendered(PAGE.read_text()))


if __name__ == "__main__":
    main()
