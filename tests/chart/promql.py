"""Reads PromQL far enough to catch what breaks an alert: brackets, operators, durations, unknown functions.

A tokenizer and a recursive parser of the subset that rules and dashboards use; `metrics` says which series a query
needs. What Prometheus would refuse outside this subset is refused here as well, since the subset is all that is read.
"""

from __future__ import annotations

import re

FUNCTIONS = {"rate", "increase", "abs", "histogram_quantile", "time"}
AGGREGATES = {"sum", "max", "min", "avg", "count"}
TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?(?:e\d+)?)(?![a-z\d])|(?P<range>\[(?:\d+[smhd]|\$__rate_interval)\])"
    r'|(?P<name>[a-zA-Z_:][\w:]*)|(?P<string>"[^"]*")|(?P<operator>==|!=|>=|<=|=~|!~|[-+*/><=(){},]))'
)
BINARY = {"+", "-", "*", "/", ">", "<", ">=", "<=", "==", "!="}


class BadQuery(Exception):
    """The query does not parse."""


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        self.metrics: set[str] = set()
        at = 0
        while text[at:].strip():
            match = TOKEN.match(text, at)
            if match is None:
                raise BadQuery(f"unreadable at {text[at:]!r}")
            self.tokens.append((str(match.lastgroup), match.group(str(match.lastgroup))))
            at = match.end()
        self.at = 0

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")

    def take(self, *wanted: str) -> str:
        kind, text = self.peek()
        if kind not in wanted and text not in wanted:
            raise BadQuery(f"expected {' or '.join(wanted)}, found {text or 'the end'}")
        self.at += 1
        return text

    def expression(self) -> None:
        self.operand()
        while self.peek()[1] in BINARY:
            self.at += 1
            self.operand()

    def operand(self) -> None:
        kind, text = self.peek()
        if text == "(":
            self.arguments()
        elif kind == "number":
            self.at += 1
        else:
            name = self.take("name")
            if name in AGGREGATES:
                if self.peek()[1] in {"by", "without"}:
                    self.at += 1
                    self.labels()
                self.arguments()
            elif self.peek()[1] == "(":
                if name not in FUNCTIONS:
                    raise BadQuery(f"unknown function {name}")
                self.arguments(counter=name in {"rate", "increase"})
            else:
                self.series(name)

    def arguments(self, *, counter: bool = False) -> None:
        self.take("(")
        if counter:
            self.series(self.take("name"))
            self.take("range")
        elif self.peek()[1] != ")":
            self.expression()
            while self.peek()[1] == ",":
                self.at += 1
                self.expression()
        self.take(")")

    def labels(self) -> None:
        self.take("(")
        self.take("name")
        while self.peek()[1] == ",":
            self.at += 1
            self.take("name")
        self.take(")")

    def series(self, name: str) -> None:
        self.metrics.add(name)
        if self.peek()[1] != "{":
            return
        self.take("{")
        while self.peek()[1] != "}":
            self.take("name")
            self.take("=", "!=", "=~", "!~")
            self.take("string")
            if self.peek()[1] == ",":
                self.at += 1
        self.take("}")


def metrics(query: str) -> set[str]:
    """Names of the series a query reads. Raises BadQuery."""
    parser = _Parser(query)
    parser.expression()
    if parser.peek()[0] != "end":
        raise BadQuery(f"unexpected {parser.peek()[1]!r}")
    return parser.metrics
