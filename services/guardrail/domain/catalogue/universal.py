"""Entities that are written alike everywhere."""

from __future__ import annotations

from services.guardrail.domain import acceptors, phones, validators
from services.guardrail.domain.catalogue.entry import Entity, forms, raw
from services.guardrail.domain.character_runs import EmailFinder
from services.guardrail.domain.context import Context

_CARD_WORDS = (
    "card|credit|credit card|debit|debit card|payment card|bank card|cc|ccn|cc num|cardholder|visa|mastercard|amex"
    "|american express|maestro|discover|diners|jcb|unionpay|rupay|pan|payment|pay|paid|charge|charged|billing"
    "|kreditkarte|kreditkartennummer|karte|kartennummer|bankkarte|carte|carte bancaire|carte bleue|tarjeta|carta"
    "|cartao|karta|karty|karta platnicza|kort|kortnummer|kreditkort|betaalkaart|kaart|creditcard|kart|kredi karti"
    "|luottokortti|kortti|карта|карты|карте|карту|картой|カード|银行卡|信用卡|卡号|카드|بطاقة|כרטיס|कार्ड|บัตร|κάρτα"
)
_BIC_WORDS = "swift|bic|swift code|bic code|swift/bic|bank identifier|codigo swift|code bic"
_BIRTH_WORDS = (
    "dob|d.o.b|date of birth|birth date|birthdate|birthday|born|born on|birth|geburtsdatum|geboren|geb"
    "|date de naissance"
    "|naissance|nee le|ne le|ne(e) le|fecha de nacimiento|nacimiento|nacido|nacida|data di nascita|nascita"
    "|nato il|nata il"
    "|data de nascimento|nascimento|nascido|geboortedatum|data urodzenia|urodzenia|urodzony|fodelsedatum|fodt"
    "|syntynyt"
    "|dogum tarihi|дата рождения|рождения|родился|родилась"
    "|生年月日|誕生日|出生日期|出生|생년월일|تاريخ الميلاد|תאריך לידה"
    "|जन्म तिथि|जन्मतिथि"
)
_PHONE_WORDS = (
    "phone|phone number|telephone|tel|telefonnummeret|telefonnumret|telefonszam|telefonszamom|telefonul|telefonu"
    "|telefonum|telefonuma|telefonla|puhelinnumero|puhelinnumeroni|telepon|telp|dien thoai|so dien thoai|sdt|telefon"
    "|telefono|telefone|telefoon|telefonnummer|telefoonnummer|puhelin|call"
    "|rufen|rufen sie|bel|bellen|callback"
    "|mobile|mob|cell|cellphone"
    "|fax|whatsapp|contact|dial|sms|text|ring|reach|handy|mobil|mobilnummer|rufnummer|portable|celular"
    "|cellulare"
    "|movil|gsm|tlf|puh|komorka|cep|cep telefonu|ligue|appelez|appeler|llama|llame|chiama|hotline|helpline"
    "|телефон|тел|мобильный|звоните|電話|携帯|电话|手机|联系电话|전화|휴대폰|연락처|هاتف|جوال|טלפון|נייד|फोन|मोबाइल|โทร"
    "|โทรศัพท์|มือถือ|τηλ|τηλέφων|τηλεφων|κινητό"
)
_MONTH = (
    r"(?:jan|feb|mar|apr|may|mai|maj|jun|jul|aug|sep|set|oct|okt|out|nov|dec|dez|dic|gen|ene|fev|avr|abr|mag|giu|lug|ago"
    r"|ott|jui|aou|ma|ju|lut|kwi|cze|lip|sie|wrz|paz|lis|gru|sty)[a-z]{0,7}"
)
_DATE_SHAPE = (
    r"\b(?:[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}|[0-9]{1,2}[-/.] ?[0-9]{1,2}[-/.] ?(?:[0-9]{4}|[0-9]{2})"
    rf"|[0-9]{{1,2}}(?:st|nd|rd|th|\.)?[ -](?:de |of )?{_MONTH}\.?,?[ -](?:de )?[0-9]{{4}}"
    rf"|{_MONTH}\.? [0-9]{{1,2}}(?:st|nd|rd|th)?,? [0-9]{{4}})\b"
)

ENTITIES: tuple[Entity, ...] = (
    Entity(
        "email",
        "local part, two labels or more, a plausible last label; no URL passwords, Git remotes, message ids",
        EmailFinder,
        misses="quoted local parts, addresses at bare hosts, letters of unspaced scripts",
    ),
    Entity(
        "phone",
        "numbering plans of phonenumbers; without `+` or `00` a distinctive grouping or a context word",
        forms(
            raw(r"\+ ?[0-9](?:[ \-./()]{0,3}[0-9]){6,14}", phones.international),
            raw(
                r"\b00[ ]?[1-9][0-9]{0,2}[ \-./()][ \-./()]{0,2}[0-9](?:[ \-./()]{0,3}[0-9]){6,13}",
                phones.international,
            ),
            raw(
                r"(?:\(|\b)[0-9](?:[ \-./()]{0,3}[0-9]){6,13}",
                phones.in_context,
                _PHONE_WORDS,
            ),
            raw(r"\b(?:1[ .\-])?[2-9][0-9]{2}[.\-][0-9]{3}[.\-][0-9]{4}(?:x[0-9]{1,6})?\b", phones.north_american),
            raw(r"(?:\b1[ .\-])?\([2-9][0-9]{2}\) ?[0-9]{3}[ .\-][0-9]{4}(?:x[0-9]{1,6})?\b", phones.north_american),
            raw(r"\([0-9]{2,5}\) ?[0-9]{3,5}[ \-][0-9]{3,4}\b", phones.grouped_national),
            raw(r"\b0[1-9](?:[ .\-][0-9]{2}){4}\b", phones.grouped_national),
            raw(r"\b0[1-9][0-9]{0,2}-[0-9]{3,4}-[0-9]{4}\b", phones.grouped_national),
            raw(r"\b0[1-9][0-9]{1,3}[ /\-][0-9]{3,8}(?:[ \-][0-9]{2,4}){0,2}\b", phones.trunk),
        ),
        context=_PHONE_WORDS,
        misses="national numbers without a context word; extensions; regions outside the list in `phones.py`",
    ),
    Entity(
        "credit_card",
        "scheme prefix and length (12–19), Luhn, grouping; rare ranges, rows of fours, valid barcodes and numbers"
        " called something else need a context word",
        forms(
            raw(r"\b[2-689](?:[ .\-]{0,2}[0-9]){11,18}", acceptors.card(Context(_CARD_WORDS))),
            raw(r"\b[01](?:[ .\-]{0,2}[0-9]){11,18}", acceptors.card(Context(_CARD_WORDS)), _CARD_WORDS),
        ),
        context=_CARD_WORDS,
        misses="without a word for it: Maestro and rare ranges in one run of digits, numbers called something else;"
        " numbers broken over lines",
    ),
    Entity(
        "iban",
        "ISO 13616 check digits and the country's structure (python-stdnum)",
        forms(raw(r"\b[A-Za-z]{2}[0-9]{2}(?:[ \-]?[A-Za-z0-9]){11,30}", acceptors.iban)),
    ),
    Entity(
        "swift_bic",
        "ISO 9362 structure with a country code (python-stdnum)",
        forms(raw(r"\b[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?\b", acceptors.bic, _BIC_WORDS)),
        context=_BIC_WORDS,
    ),
    Entity(
        "ip",
        "IPv4 with four octets, not called a version; IPv6 of RFC 4291 with a digit in it",
        forms(
            raw(r"\b[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\b", acceptors.ip_v4),
            raw(
                r"(?:[0-9A-Fa-f]{1,4}:){6,7}[0-9A-Fa-f.]{1,15}"
                r"|(?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,6})?::[0-9A-Fa-f:.]{0,38}",
                acceptors.ip_v6,
            ),
        ),
        misses="octal and integer spellings, IPv6 without any digit",
    ),
    Entity(
        "mac_address",
        "six octets with one separator (`:` or `-`), or three dotted groups of four with a letter",
        forms(
            raw(
                r"\b(?:[0-9A-Fa-f]{2}[:\-]){5}[0-9A-Fa-f]{2}\b|\b[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\b",
                acceptors.mac_address,
            )
        ),
        misses="twelve hexadecimal digits without separators",
    ),
    Entity(
        "bitcoin_address",
        "Base58Check, Bech32 or Bech32m checksum (python-stdnum)",
        forms(
            raw(r"\b[13][1-9A-HJ-NP-Za-km-z]{25,34}\b", acceptors.alone(validators.is_bitcoin_address)),
            raw(r"\bbc1[02-9ac-hj-np-z]{11,71}\b", acceptors.alone(validators.is_bitcoin_address)),
        ),
    ),
    Entity(
        "ethereum_address",
        "40 hexadecimal digits; in mixed case the EIP-55 checksum",
        forms(raw(r"\b0x[0-9a-fA-F]{40}\b", acceptors.alone(validators.is_ethereum_address))),
    ),
    Entity(
        "date_of_birth",
        "a calendar date from 1900 on, in numbers or with the month's name",
        forms(raw(_DATE_SHAPE, acceptors.whole(validators.is_birth_date), _BIRTH_WORDS, ignore_case=True)),
        context=_BIRTH_WORDS,
        misses="month names outside the Latin script; dates of other calendars",
    ),
)
