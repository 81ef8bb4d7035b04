"""Whether a WHERE clause excludes nothing: constants folded, tautologies recognised."""

from __future__ import annotations

import fnmatch

from sqlglot import exp

DEPTH_MAX = 60

_NOTHING = object()
_KEYS = ("id", "_id", "uuid", "pk", "rowid", "key")


def always_true(condition: exp.Expr) -> bool | None:
    """True: every row; False: a real condition; None: perhaps every row, as for `id IS NOT NULL` on a key."""
    truth = _truth(condition, 0)
    if truth is True:
        return True
    if truth is False:
        return False
    return None if _lenient(condition, 0) else False


def _truth(node: exp.Expr | None, depth: int) -> bool | None:
    """Three-valued: None depends on the row."""
    if node is None or depth > DEPTH_MAX:
        return None
    if isinstance(node, (exp.Paren, exp.Where)):
        return _truth(node.this, depth + 1)
    if isinstance(node, exp.Not):
        inner = _truth(node.this, depth + 1)
        return None if inner is None else not inner
    if isinstance(node, (exp.And, exp.Or)):
        left, right = _truth(node.left, depth + 1), _truth(node.right, depth + 1)
        decisive = isinstance(node, exp.Or)
        if left is decisive or right is decisive:
            return decisive
        return left if left is not None and left == right else None
    if isinstance(node, exp.Exists):
        select = node.this
        return (
            True
            if isinstance(select, exp.Select)
            and not select.args.get("from")
            and not select.args.get("from_")
            and not select.args.get("where")
            else None
        )
    if isinstance(node, (exp.Like, exp.ILike, exp.RegexpLike)):
        return _pattern(node)
    if isinstance(node, exp.In):
        return _in(node, depth)
    if isinstance(node, exp.Between):
        if node.this in (node.args["low"], node.args["high"]):
            return True if node.args["low"] == node.args["high"] else None
        value, low, high = _value(node.this, 0), _value(node.args["low"], 0), _value(node.args["high"], 0)
        return (
            None
            if _NOTHING in (value, low, high)
            else _compared(exp.GTE(), value, low) and _compared(exp.LTE(), value, high)
        )
    if isinstance(node, (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ)):
        return _comparison(node, depth)
    if isinstance(node, exp.Is):
        value = _value(node.this, depth)
        if value is not _NOTHING and isinstance(node.expression, exp.Null):
            return value is None
        if isinstance(node.expression, exp.Boolean):
            inner = _truth(node.this, depth + 1)
            return None if inner is None else inner == node.expression.this
        return None
    value = _value(node, depth)
    if value is _NOTHING or value is None:
        return None if value is _NOTHING else False
    return bool(_number(value))


def _comparison(node: exp.Binary, depth: int) -> bool | None:
    left, right = node.left, node.right
    if left == right and isinstance(node, (exp.EQ, exp.GTE, exp.LTE, exp.NullSafeEQ)):
        return True
    first, second = _value(left, depth), _value(right, depth)
    if first is _NOTHING or second is _NOTHING:
        inner = [
            _truth(side, depth + 1) if isinstance(side, (exp.Paren, exp.Connector, exp.Not, exp.Boolean)) else None
            for side in (left, right)
        ]
        if isinstance(node, exp.EQ) and None not in inner:
            return inner[0] == inner[1]
        return None
    return _compared(node, first, second)


def _compared(node: exp.Expr, first: object, second: object) -> bool:
    if first is None or second is None:
        return isinstance(node, exp.NullSafeEQ) and first is second
    left: float | str
    right: float | str
    if isinstance(first, str) and isinstance(second, str):
        left, right = first, second
    else:
        left, right = _number(first), _number(second)
    if isinstance(node, (exp.EQ, exp.NullSafeEQ)):
        return left == right
    if isinstance(node, exp.NEQ):
        return left != right
    above, below = (left > right, left < right) if isinstance(left, type(right)) else (False, False)  # type: ignore[operator]
    if isinstance(node, exp.GT):
        return above
    if isinstance(node, exp.LT):
        return below
    return left == right or (above if isinstance(node, exp.GTE) else below)


def _pattern(node: exp.Binary) -> bool | None:
    pattern = _value(node.expression, 0)
    if not isinstance(pattern, str):
        return True if node.this == node.expression else None
    if isinstance(node, exp.RegexpLike):
        return True if pattern in ("", ".*", "^", "$", ".", "^.*$", ".*?") else None
    subject = _value(node.this, 0)
    if isinstance(subject, str):
        return fnmatch.fnmatchcase(subject, pattern.replace("*", "[*]").replace("%", "*").replace("_", "?"))
    return True if pattern.strip("%") == "" and pattern else None


def _in(node: exp.In, depth: int) -> bool | None:
    items = node.expressions
    if any(item == node.this for item in items):
        return True
    value = _value(node.this, depth)
    values = [_value(item, depth) for item in items]
    if value is _NOTHING or not items or _NOTHING in values:
        return None
    return any(_compared(exp.EQ(), value, item) for item in values)


def _value(node: exp.Expr | None, depth: int) -> object:
    """The constant an expression is, or _NOTHING."""
    if node is None or depth > DEPTH_MAX:
        return _NOTHING
    if isinstance(node, exp.Paren):
        return _value(node.this, depth + 1)
    if isinstance(node, exp.Null):
        return None
    if isinstance(node, exp.Boolean):
        return 1.0 if node.this else 0.0
    if isinstance(node, exp.Literal):
        return str(node.this) if node.is_string else _number(node.this)
    if isinstance(node, (exp.Neg,)):
        inner = _value(node.this, depth + 1)
        return _NOTHING if inner is _NOTHING else -_number(inner)
    if isinstance(node, (exp.Cast, exp.TryCast)):
        return _value(node.this, depth + 1)
    if isinstance(node, exp.Subquery):
        select = node.this
        if (
            isinstance(select, exp.Select)
            and not select.args.get("from")
            and not select.args.get("from_")
            and len(select.expressions) == 1
        ):
            return _value(select.expressions[0], depth + 1)
        return _NOTHING
    if isinstance(node, exp.Coalesce):
        values = [_value(item, depth + 1) for item in (node.this, *node.expressions)]
        return next((item for item in values if item is not None), None)
    if isinstance(node, exp.Case) and node.this is None:
        for branch in node.args.get("ifs") or []:
            truth = _truth(branch.this, depth + 1)
            if truth is not False:
                return _value(branch.args.get("true"), depth + 1) if truth else _NOTHING
        return _value(node.args.get("default"), depth + 1)
    if isinstance(node, exp.Alias):
        return _value(node.this, depth + 1)
    if isinstance(node, (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod)):
        return _arithmetic(node, depth)
    if isinstance(node, (exp.DPipe, exp.Concat)):
        parts = [node.left, node.right] if isinstance(node, exp.DPipe) else node.expressions
        values = [_value(part, depth + 1) for part in parts]
        return _NOTHING if _NOTHING in values else "".join(map(str, values))
    if isinstance(node, (exp.Length, exp.Lower, exp.Upper, exp.Abs)):
        inner = _value(node.this, depth + 1)
        if inner is _NOTHING or inner is None:
            return _NOTHING
        text = str(inner)
        if isinstance(node, exp.Length):
            return float(len(text))
        return (
            abs(_number(inner))
            if isinstance(node, exp.Abs)
            else text.lower()
            if isinstance(node, exp.Lower)
            else text.upper()
        )
    return _NOTHING


def _arithmetic(node: exp.Binary, depth: int) -> object:
    left, right = _value(node.left, depth + 1), _value(node.right, depth + 1)
    if _NOTHING in (left, right) or left is None or right is None:
        # `x - x` and the like are constants, whatever x is.
        return 0.0 if isinstance(node, exp.Sub) and node.left == node.right else _NOTHING
    first, second = _number(left), _number(right)
    if isinstance(node, exp.Add):
        return first + second
    if isinstance(node, exp.Sub):
        return first - second
    if isinstance(node, exp.Mul):
        return first * second
    if second == 0:
        return _NOTHING
    return first / second if isinstance(node, exp.Div) else first % second


def _number(value: object) -> float:
    """As MySQL reads it: text without a leading number is 0."""
    if isinstance(value, (int, float)):
        return float(value)
    digits = ""
    for char in str(value).strip()[:40]:
        if char.isdigit() or (char in "+-" and not digits) or (char == "." and "." not in digits):
            digits += char
        else:
            break
    try:
        return float(digits)
    except ValueError:
        return 0.0


def _lenient(node: exp.Expr | None, depth: int) -> bool:
    """Conditions that hold for every row in practice: a key that is not null, not negative, not empty."""
    if node is None or depth > DEPTH_MAX:
        return True
    if isinstance(node, (exp.Paren, exp.Where)):
        return _lenient(node.this, depth + 1)
    if isinstance(node, exp.And):
        return all(_truth(side, depth) is True or _lenient(side, depth + 1) for side in (node.left, node.right))
    if isinstance(node, exp.Or):
        return _lenient(node.left, depth + 1) or _lenient(node.right, depth + 1) or _opposites(node)
    if isinstance(node, exp.Not):
        inner = node.this
        while isinstance(inner, exp.Paren):
            inner = inner.this
        return isinstance(inner, exp.Is) and isinstance(inner.expression, exp.Null) and _key(inner.this)
    if isinstance(node, (exp.GT, exp.GTE, exp.NEQ)):
        value = _value(node.right, 0)
        small = value is not _NOTHING and (
            value == "" or (value is not None and not isinstance(value, str) and _number(value) <= 0)
        )
        return small and (
            _key(node.left) or isinstance(node.left, exp.Length) or (isinstance(node, exp.NEQ) and _key(node.left))
        )
    if isinstance(node, exp.Exists):
        return True
    if isinstance(node, exp.In):
        query = node.args.get("query")
        inner = query.this if isinstance(query, exp.Subquery) else query
        return isinstance(inner, exp.Select) and not inner.args.get("where") and not inner.args.get("joins")
    if isinstance(node, (exp.LT, exp.LTE)):
        value = _value(node.right, 0)
        return isinstance(value, str) and value[:4].isdigit() and int(value[:4]) >= 2200
    return isinstance(node, exp.Is) and isinstance(node.expression, exp.Not) and _key(node.this)


def _opposites(node: exp.Or) -> bool:
    """`x = 1 OR x <> 1`, `x IS NULL OR x IS NOT NULL`."""
    left, right = node.left, node.right
    while isinstance(left, exp.Paren):
        left = left.this
    while isinstance(right, exp.Paren):
        right = right.this
    if (isinstance(right, exp.Not) and right.this == left) or (isinstance(left, exp.Not) and left.this == right):
        return True
    pairs = (
        (exp.EQ, exp.NEQ),
        (exp.NEQ, exp.EQ),
        (exp.LT, exp.GTE),
        (exp.GTE, exp.LT),
        (exp.GT, exp.LTE),
        (exp.LTE, exp.GT),
    )
    return (
        any(type(left) is first and type(right) is second for first, second in pairs)
        and list(left.args.values())[:2] == list(right.args.values())[:2]
    )


def _key(node: exp.Expr | None) -> bool:
    name = node.name.lower() if isinstance(node, exp.Column) else ""
    return name.endswith(_KEYS) or name == "id"
