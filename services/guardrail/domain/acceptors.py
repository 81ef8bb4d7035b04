"""Acceptors: from a shape's match to the entity in it, or nothing. They combine guards with a validator."""

from __future__ import annotations

import ipaddress
import itertools
import re
from collections.abc import Callable

from stdnum import bic as stdnum_bic

from services.guardrail.domain import guards, validators
from services.guardrail.domain.context import CONTEXT, Context
from services.guardrail.domain.forms import Accept
from services.guardrail.domain.text import TextView

_ALNUM = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_LETTERS = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_WORD_BYTES = bytes(_ALNUM)
_GROUPS = re.compile(rb"[0-9]+")


def alone(valid: Callable[[str], bool]) -> Accept:
    """For forms that need no context: the match is no piece of a longer token, and the validator holds."""

    def accept(view: TextView, start: int, end: int) -> int | None:
        if not guards.stands_alone(view.shadow, start, end):
            return None
        return end if valid(view.shadow[start:end].decode("ascii")) else None

    return accept


def unlabelled(valid: Callable[[str], bool]) -> Accept:
    """As `alone`, and no label right before says that the number is something else."""
    inner = alone(valid)

    def accept(view: TextView, start: int, end: int) -> int | None:
        found = inner(view, start, end)
        return None if found is None or guards.named_otherwise(view.shadow, start) else found

    return accept


def whole(valid: Callable[[str], bool]) -> Accept:
    """For forms that need context: the match is a whole number, no order's or the like, and the validator holds."""

    def accept(view: TextView, start: int, end: int) -> int | None:
        if not guards.is_whole_number(view.shadow, start, end) or guards.named_a_document(view.shadow, start):
            return None
        return end if valid(view.shadow[start:end].decode("ascii")) else None

    return accept


def longest_whole(valid: Callable[[str], bool]) -> Accept:
    """As `whole`, of the longest beginning that ends where a group of characters does: the rest is another word."""
    inner = whole(valid)

    def accept(view: TextView, start: int, end: int) -> int | None:
        while end > start:
            found = inner(view, start, end)
            if found is not None:
                return found
            end = start + len(view.shadow[start:end].rstrip(_WORD_BYTES)[:-1])
        return None

    return accept


_FIELD = re.compile(rb"(?:[A-Za-z][:=]|[\x80-\xff])\Z")
_ROW_BEFORE = re.compile(rb"(?:\A|\n)((?:[0-9]{4} ){1,9})\Z")
_CANONICAL = frozenset({(4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3), (4, 4, 4, 4, 2), (4, 4, 4, 1), (4, 4, 4)})


def card(context: Context) -> Accept:
    """The longest valid card number that ends where a group of digits ends; the context decides doubtful ones."""

    def accept(view: TextView, start: int, end: int) -> int | None:
        data = view.shadow
        if guards.touches_tag(data, start, start):
            return None
        joined = start >= 2 and data[start - 1] in b"-/+&\\" and data[start - 2] in _ALNUM
        if joined and not (data[start - 1] == 0x2D and data[start - 2] in _LETTERS and context.holds(view, start)):
            return None
        if start and data[start - 1] == 0x24:
            return None
        if not data[start + 1 : start + 4].isdigit() and not context.holds(view, start):
            # Groups of schemes begin with four digits; what is written otherwise needs the context, asked for once.
            return None
        digits = data[start:end].translate(None, b" -.").decode("ascii")
        lengths = validators.card_lengths(digits[:4])
        for count in range(len(digits) if lengths else 0, 11, -1):
            if count in lengths and _closed(data, start, end) and _is_card(view, start, end, context):
                return end
            end -= 1
            while end > start and not data[end - 1 : end].isdigit():
                end -= 1
        return None

    return accept


def _closed(data: bytes, start: int, end: int) -> bool:
    if guards.touches_tag(data, end, end) or (end < len(data) and (data[end] in _ALNUM or data[end] in b"@%")):
        return False
    if end + 1 < len(data) and data[end] in b"/+" and data[end + 1] in _ALNUM:
        return False
    if end + 1 < len(data) and data[end] == 0x5C and data[end + 1] in _ALNUM and data[end + 1] not in b"nrtu":
        return False
    if end + 1 < len(data) and data[end] == 0x2D and chr(data[end + 1]).isalpha():
        return False
    return not guards.continues_number(data, start, end)


def _is_card(view: TextView, start: int, end: int, context: Context) -> bool:
    data = view.shadow
    token = data[start:end]
    digits = token.translate(None, b" -.").decode("ascii")
    if not validators.is_card_number(digits) or sum(joint in token for joint in b" -.") > 1:
        return False
    if guards.inside_account(data, start):
        return False
    written = _GROUPS.findall(token)
    groups = tuple(map(len, written))
    if len(written) == 4 and all(int(one) + 1 == int(next_) for one, next_ in itertools.pairwise(written)):
        # A count, such as a code chart's.
        return False
    if len(groups) > 1 and guards.has_digit_neighbour(data, start, end) and (groups not in _CANONICAL or b"-" in token):
        return False
    doubtful = (
        validators.is_trade_number(digits)
        or guards.numbered_otherwise(data, start)
        or (_is_row(data, start) if len(groups) > 1 else not validators.is_everyday_card(digits))
    )
    if len(groups) > 1 and (groups not in _CANONICAL or len(digits) == 12):
        doubtful = True
    if len(groups) == 1 and len(digits) not in (15, 16):
        # Barcodes, identity numbers and machines' own numbers share these lengths, so a field's name decides.
        doubtful = doubtful or _FIELD.search(data, max(0, start - 2), start) is not None
    return not doubtful or context.holds(view, start)


def _is_row(data: bytes, start: int) -> bool:
    """True when the line begins with groups of four that cannot all be cards, so that the match is a slice of a row."""
    before = _ROW_BEFORE.search(data, max(0, start - CONTEXT), start)
    return before is not None and len(before.group(1)) % 20 != 0


_OCTET = rb"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IP_V4 = re.compile(rb"\.".join([_OCTET] * 4) + rb"\Z")


_SUSPECT = frozenset(b"-+~.,:/\\&%@<_\x00")
"""What is looked at more closely beside four octets; anything else cannot make them a piece of something longer."""


def ip_v4(view: TextView, start: int, end: int) -> int | None:
    """Four octets that are not part of a longer dotted number, nor called a version."""
    data = view.shadow
    if _IP_V4.match(data, start, end) is None:
        return None
    if (start and data[start - 1] in _SUSPECT) or (end < len(data) and data[end] in _SUSPECT):
        if guards.continues_number(data, start, end) or guards.touches_tag(data, start, end):
            return None
        if start >= 1 and data[start - 1] in b"-+~" and (start < 2 or data[start - 2] in _ALNUM):
            return None
        if data[end : end + 1] in (b"-", b"+", b"~") and data[end + 1 : end + 2].isalpha():
            return None
    return None if guards.is_version(data, start, end) else end


def ip_v6(view: TextView, start: int, end: int) -> int | None:
    """An address with a digit in it, so that `dead::beef`-like names of code are not one."""
    data = view.shadow
    if start and (data[start - 1] in _ALNUM or data[start - 1] in b":.\x00"):
        return None
    if guards.touches_tag(data, start, start):
        return None
    while end > start + 2:
        token = data[start:end]
        after = data[end : end + 1]
        if guards.touches_tag(data, end, end):
            return None
        if not (after and (after[0] in _ALNUM or after == b":")) and any(0x30 <= b <= 0x39 for b in token):
            try:
                address = ipaddress.IPv6Address(token.decode("ascii"))
            except ValueError:
                pass
            else:
                return end if _is_plausible_v6(token, address) else None
        if token[-1:] not in (b":", b"."):
            return None
        end -= 1
    return None


def _is_plausible_v6(token: bytes, address: ipaddress.IPv6Address) -> bool:
    """Code is full of `a::b1`; what is compressed that far must begin as assigned addresses do."""
    if address.ipv4_mapped is not None:
        return True
    groups = [group for group in token.split(b":") if group]
    return len(groups) > 3 or int(address) <= 1 or (len(token.split(b":")[0]) == 4 and token[:1] in b"23fF")


def mac_address(view: TextView, start: int, end: int) -> int | None:
    """Six octets with one separator throughout that no further octet follows."""
    data = view.shadow
    token = data[start:end]
    separator = token[4:5] if len(token) == 14 else token[2:3]
    if token.count(separator) != (2 if len(token) == 14 else 5) or guards.touches_tag(data, start, end):
        return None
    if separator == b"." and token.replace(b".", b"").isdigit():
        return None
    if (start and data[start - 1 : start] == separator) or data[end : end + 1] == separator:
        return None
    if separator == b"-" and not guards.stands_alone(data, start, end):
        return None
    return end


def iban(view: TextView, start: int, end: int) -> int | None:
    """An account number of its country's length that ends where a word ends; check digits decide."""
    data = view.shadow
    if start > 1 and data[start - 1] in b"-/+" and data[start - 2] in _ALNUM:
        return None
    if guards.touches_tag(data, start, start):
        return None
    size = validators.iban_length(data[start : start + 2].decode("ascii").upper())
    while size and end - start >= size:
        if len(data[start:end].translate(None, b" -")) == size:
            after = data[end : end + 1]
            if guards.touches_tag(data, end, end) or (after and (after[0] in _ALNUM or after in b"/+=")):
                return None
            return end if validators.is_iban(validators.compact(data[start:end].decode("ascii"))) else None
        end -= 1
        while end > start and data[end - 1] not in _ALNUM:
            end -= 1
    return None


_BIC_LABEL = re.compile(rb"(?i)(?:swift|bic)(?:[^a-z0-9]?(?:code|nr|no|number|is|swift|bic))*[^a-z0-9]{0,3}\Z")


def bic(view: TextView, start: int, end: int) -> int | None:
    """A bank's code. Eight plain letters may be a word in capitals, so the label must stand right before them."""
    data = view.shadow
    token = data[start:end].decode("ascii")
    if not guards.is_whole_number(data, start, end) or not stdnum_bic.is_valid(token):
        return None
    if token.isalpha() and not token.endswith("XXX") and not _BIC_LABEL.search(data[max(0, start - 32) : start]):
        return None
    return end
