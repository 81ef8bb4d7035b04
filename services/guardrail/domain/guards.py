"""What stands beside a match: whether it is a piece of something longer, or labelled as something else.

Guards look at two characters on either side, labels at 24 before. A mask tag beside a match counts as a piece of
it, because nobody can tell what it hid, and masking twice must change nothing.
"""

from __future__ import annotations

import re

from services.guardrail.domain.validators import iban_length

_DIGITS = frozenset(b"0123456789")
_ALNUM = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_TAG, _DOT, _COMMA = 0, 0x2E, 0x2C
_JOINERS = frozenset(b"-/\\+&%@~")
_AFTER = frozenset(b"-/\\+~")
_BRIDGES = frozenset(b".:<_") | _JOINERS
"""What joins a match to a mask tag; fields are parted by other characters, and a tag leaves the next field alone."""

CALL_REACH = 40
"""Characters before a match in which a word such as `call` is looked for."""

LABEL_REACH = 24
"""Characters before a match in which a label such as `order no.` is looked for."""

_OTHER_THINGS = frozenset(
    b"order invoice inv part sku item ticket tracking model serial case ref reference isbn issn ean upc"
    b" product batch lot build version commit rev revision job task issue bug page row line offset id uid"
    b" pid tid seq sequence size bytes port code error step epoch total amount price sum po rma bestellung"
    b" rechnung commande facture pedido factura ordine fattura zamowienie pesel cpr bsn nhs sin tfn abn npi"
    b" cnpj cpf rut imei iccid imsi meid gtin vin shipment parcel waybill awb booking barcode auftrag".split()
)
_DOCUMENTS = frozenset(
    b"order invoice inv sku item ticket tracking isbn issn ean upc batch lot build commit rev shipment parcel"
    b" bestellung rechnung commande facture pedido factura ordine fattura zamowienie".split()
)
_ROW = re.compile(rb"(?:(?<![0-9])[0-9]{4}[ \-])+\Z")
_NUMBERED_THINGS = _OTHER_THINGS | frozenset(
    b"transaction txn trx request req session trace span thread user customer client member account acct subscriber"
    b" device block blk timestamp ts time epoch nonce hash counter count shipping container reservation confirmation"
    b" receipt voucher coupon snowflake tweet status event message msg record entry lsn xid sid gid inode document doc"
    b" nano nanos nanoseconds ns ms micros millis seconds duration offset bytes size checksum crc"
    b" asset policy claim contract index idx key konto kunde cliente client compte conta cuenta rachunek".split()
)
"""What long numbers name in systems; people are called customers too, so shorter forms are not judged by these."""

_VERSIONS = frozenset(
    b"version versions ver release released build rev revision firmware driver patch v upgrade upgraded"
    b" downgrade downgraded update updated section sections chapter clause figure table oid objectidentifier schema"
    b" assembly productversion fileversion sdk kernel fw hw sw bios rom".split()
)
_FILLERS = frozenset(b"no nr num number nummer numer numero numara id code to from is of on at me us".split())
_COPULAS = frozenset(
    b"no nr num number numer numero numara is on at me us my the or at ist lautet est le el la il es e ar er este"
    b" to jest je mi mio meu mon ma meine mein mijn min mit mitt moj of under unter au al na".split()
)
_MAX_COPULAS = 3
_SHORT_LABELS = frozenset({b"p/", b"s/", b"m/", b"a/"})
"""`P/N`, `S/N` and the like."""

_MAX_INTEGER, _MAX_FRACTION, _MAX_SHORT_INTEGER = 9, 11, 3
"""Digits before a decimal comma: before so many after it at most, and before more."""

_PINNED = re.compile(rb"(?:[=><~!]=|~>|[~^])[ \"']*\Z")
_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_GLUE = frozenset(bytes([byte]) for byte in (*b"0123456789/&", *range(0x80, 0x100)))
"""Before a word: it is the end of a longer token, such as a path's, and labels nothing."""

_PUNCTUATION = b" .:=#\"'(-_"


_CAMEL = re.compile(rb"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_ACCOUNT = re.compile(rb"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?:[ -][0-9A-Za-z]{4}){0,7}[ -]\Z")


def inside_account(data: bytes, start: int) -> bool:
    """True when the match goes on a bank account number in groups of four (ISO 13616) that is not complete yet."""
    if data[max(0, start - 1) : start] not in (b" ", b"-"):
        return False
    head = _ACCOUNT.search(data, max(0, start - 41), start)
    if head is None:
        return False
    written = head.group().translate(None, b" -").decode("ascii")
    return len(written) < iban_length(written[:2].upper())


def is_called(data: bytes, start: int, known: frozenset[bytes]) -> bool:
    """True when one of the words stands before `start`, small words between aside; or another script does."""
    if any(byte >= 0x80 for byte in data[max(0, start - 3) : start]):
        return True
    left = data[max(0, start - CALL_REACH) : start]
    for _ in range(_MAX_COPULAS + 1):
        left = left.rstrip(_PUNCTUATION)
        rest = left.rstrip(_LETTERS)
        word = left[len(rest) :].lower()
        if word in known:
            return rest[-1:] != b"\x00"
        if word not in _COPULAS:
            return False
        left = rest
    return False


def _label(data: bytes, start: int, known: frozenset[bytes]) -> bool:
    """True when the word right before `start`, or the one before a filler such as `no.`, is known."""
    left = (data[start - LABEL_REACH : start] if start > LABEL_REACH else data[:start]).rstrip(_PUNCTUATION)
    rest = left.rstrip(_LETTERS)
    written = left[len(rest) :]
    word = written.lower()
    if word in known:
        return rest[-1:] not in _GLUE
    if not (written.islower() or written.isupper() or written.istitle()):
        parts = _CAMEL.findall(written)
        last = parts[-1].lower() if parts else b""
        return last in known or (last in _FILLERS and len(parts) > 1 and parts[-2].lower() in known)
    if word == b"n":
        return rest[-2:].lower() in _SHORT_LABELS and known is not _VERSIONS
    if word not in _FILLERS:
        return False
    left = rest.rstrip(_PUNCTUATION)
    return left[len(left.rstrip(_LETTERS)) :].lower() in known


def continues_number(data: bytes, start: int, end: int) -> bool:
    """True when the span is a piece of a decimal or of a longer dotted number."""
    if start >= 2 and data[start - 2] in _DIGITS and data[start - 1] in (_DOT, _COMMA):
        return data[start - 1] == _DOT or _is_decimal_comma(data, start, end)
    return end + 1 < len(data) and data[end] == _DOT and data[end + 1] in _DIGITS


def _is_decimal_comma(data: bytes, start: int, end: int) -> bool:
    """False where the comma parts fields: another follows, or the left one is long, dotted or itself after a comma."""
    if data[end : end + 1] == b",":
        return False
    left = data[max(0, start - LABEL_REACH) : start - 1]
    integer = left.rstrip(b"0123456789")
    longest = _MAX_INTEGER if end - start <= _MAX_FRACTION else _MAX_SHORT_INTEGER
    return len(left) - len(integer) <= longest and integer[-1:] not in (b",", b".") and not integer[-1:].isalpha()


def touches_tag(data: bytes, start: int, end: int) -> bool:
    """True when a mask tag stands right before or after, or one joiner away: what it hid may have gone on here."""
    if start and (data[start - 1] == _TAG or (start > 1 and data[start - 2] == _TAG and data[start - 1] in _BRIDGES)):
        return True
    size = len(data)
    return end < size and (data[end] == _TAG or (end + 1 < size and data[end + 1] == _TAG and data[end] in _BRIDGES))


def stands_alone(data: bytes, start: int, end: int) -> bool:
    """False for a piece of a longer token: path, hash, UUID, decimal, time, price. For forms without context."""
    if continues_number(data, start, end) or touches_tag(data, start, end):
        return False
    if start:
        before, further = data[start - 1], data[start - 2] if start > 1 else 0x20
        if before in _ALNUM or before == 0x24:
            return False
        if before in _JOINERS and (further in _ALNUM or further in _JOINERS):
            return False
        if before == 0x3A and further in _DIGITS:
            return False
    if end < len(data):
        after, further = data[end], data[end + 1] if end + 1 < len(data) else 0x20
        if after in _ALNUM or after in b"@%":
            return False
        if after in _AFTER and further in _ALNUM:
            return False
        if after == 0x3A and further in _DIGITS:
            return False
    return True


def is_whole_number(data: bytes, start: int, end: int) -> bool:
    """False for a piece of a decimal or of a longer hyphenated number. For forms that need context."""
    if continues_number(data, start, end) or touches_tag(data, start, end):
        return False
    if start >= 2 and data[start - 1] in b"-/" and data[start - 2] in _DIGITS:
        return False
    if start and (data[start - 1] in _ALNUM or data[start - 1] == 0x24):
        return False
    if end < len(data) and (data[end] in _ALNUM or data[end] == 0x40):
        return False
    return not (end + 1 < len(data) and data[end] in b"-/" and data[end + 1] in _DIGITS)


def has_digit_neighbour(data: bytes, start: int, end: int) -> bool:
    """True when another group of digits stands one separator away, so that the span may be a slice of a table."""
    if start >= 2 and data[start - 1] in b" -" and (data[start - 2] in _DIGITS or data[start - 2] == _TAG):
        return True
    return end + 1 < len(data) and data[end] in b" -" and (data[end + 1] in _DIGITS or data[end + 1] == _TAG)


def named_otherwise(data: bytes, start: int) -> bool:
    """True when a label right before the match says that it is something else, such as an order number."""
    return _label(data, start, _OTHER_THINGS)


def named_a_document(data: bytes, start: int) -> bool:
    """True when a label right before says order, invoice or the like, whatever words stand farther off."""
    return _label(data, start, _DOCUMENTS)


def numbered_otherwise(data: bytes, start: int) -> bool:
    """The same as `named_otherwise` for long runs of digits, which name many more things; `#` says so too.

    The label of a row of groups is the one before its first group.
    """
    row = _ROW.search(data, max(0, start - LABEL_REACH), start)
    return data[max(0, start - 1) : start] == b"#" or _label(data, row.start() if row else start, _NUMBERED_THINGS)


def is_version(data: bytes, start: int, end: int) -> bool:
    """True for four dotted numbers that the text calls a version, a section or a product."""
    if _label(data, start, _VERSIONS):
        return True
    near = data[start - 4 : start] if start > 4 else data[:start]
    if (b"=" in near or b"~" in near or b"^" in near) and _PINNED.search(near):
        return True
    # A product's token in a user agent, such as Chrome/120.0.0.0; hosts before a slash do not end in zeros.
    return near[-1:] == b"/" and near[-2:-1].isalpha() and data[start:end].endswith(b".0.0")
