"""Identifiers of Asia and the Pacific."""

from __future__ import annotations

from stdnum.au import abn as au_abn
from stdnum.au import tfn as au_tfn
from stdnum.in_ import aadhaar as in_aadhaar
from stdnum.in_ import pan as in_pan
from stdnum.jp import in_ as jp_in
from stdnum.kr import rrn as kr_rrn
from stdnum.th import pin as th_pin

from services.guardrail.domain import acceptors, validators
from services.guardrail.domain.catalogue.entry import Entity, bound, forms, free, raw
from services.guardrail.domain.validators import on_compact

_AADHAAR = "aadhaar|aadhar|adhaar|uidai|aadhaar no|आधार|আধার|ஆதார்|ఆధార్"
_PAN = "pan|pan card|pan no|pan number|permanent account|permanent account number|income tax|पैन"
_MYNUMBER = "my number|mynumber|individual number|kojin bango|マイナンバー|個人番号|マイナンバ"
_RRN = "rrn|resident registration|resident registration number|jumin|주민등록번호|주민번호|주민등록"
_NRIC = "nric|fin|nric no|identity card|ic number|ic no|singpass"
_TFN = "tfn|tax file|tax file number|tax file no"
_ABN = "abn|business number|australian business number|a.b.n"
_MEDICARE = "medicare|medicare card|medicare number|medicare no"
_TH = (
    "thai id|national id|citizen id|id card|identification number|เลขบัตรประชาชน|บัตรประชาชน|เลขประจำตัวประชาชน|เลขประจำตัว"
)
_TW = "taiwan id|national id|identity card|id number|id no|id card|arc|身分證|身分證字號|身份證|統一編號|居留證"
_HK = "hkid|hk id|hong kong id|hong kong identity|identity card|id card|id number|id no|身份證|身份证|身分證"

ENTITIES: tuple[Entity, ...] = (
    Entity(
        "in_aadhaar",
        "Verhoeff check digit (python-stdnum)",
        forms(bound(r"\b[2-9][0-9]{3}[ \-]?[0-9]{4}[ \-]?[0-9]{4}\b", in_aadhaar.is_valid, _AADHAAR)),
        context=_AADHAAR,
    ),
    Entity(
        "in_pan",
        "structure with holder type (python-stdnum)",
        forms(bound(r"\b[A-Z]{3}[ABCFGHJLPTK][A-Z][0-9]{4}[A-Z]\b", in_pan.is_valid, _PAN, ignore_case=True)),
        context=_PAN,
    ),
    Entity(
        "jp_mynumber",
        "mod 11 check digit (python-stdnum)",
        forms(bound(r"\b[0-9]{4}[ \-]?[0-9]{4}[ \-]?[0-9]{4}\b", jp_in.is_valid, _MYNUMBER)),
        context=_MYNUMBER,
    ),
    Entity(
        "kr_rrn",
        "date and check digit (python-stdnum); after a context word the date and century digit alone",
        forms(
            raw(r"\b[0-9]{6}-[0-9]{7}\b", acceptors.unlabelled(on_compact(kr_rrn.is_valid))),
            bound(r"\b[0-9]{6}[ \-]?[0-9]{7}\b", validators.is_kr_birth, _RRN),
        ),
        context=_RRN,
        misses="without a context word: numbers given since October 2020, whose last digits are random",
    ),
    Entity(
        "cn_resident_id",
        "province, date and ISO 7064 mod 11-2 check (python-stdnum)",
        forms(free(r"\b[1-9][0-9]{5}[ ]?(?:18|19|20)[0-9]{6}[ ]?[0-9]{3}[0-9Xx]\b", validators.is_cn_resident_id)),
        context="",
        misses="fifteen-digit numbers of the first generation",
    ),
    Entity(
        "sg_nric",
        "series letter and check letter; small letters need a context word",
        forms(
            raw(r"\b[STFGM][0-9]{7}[A-Z]\b", acceptors.unlabelled(validators.is_sg_nric)),
            bound(r"\b[STFGM][0-9]{7}[A-Z]\b", validators.is_sg_nric, _NRIC, ignore_case=True),
        ),
        context=_NRIC,
    ),
    Entity(
        "au_tfn",
        "weighted mod 11 (python-stdnum)",
        forms(bound(r"\b[0-9]{3}[ \-]?[0-9]{3}[ \-]?[0-9]{2,3}\b", au_tfn.is_valid, _TFN)),
        context=_TFN,
    ),
    Entity(
        "au_abn",
        "mod 89 (python-stdnum)",
        forms(bound(r"\b[0-9]{2}[ \-]?[0-9]{3}[ \-]?[0-9]{3}[ \-]?[0-9]{3}\b", au_abn.is_valid, _ABN)),
        context=_ABN,
    ),
    Entity(
        "au_medicare",
        "first digit 2–6, weighted check digit",
        forms(
            bound(r"\b[2-6][0-9]{3}[ \-]?[0-9]{5}[ \-]?[0-9](?:[ \-/]?[0-9])?\b", validators.is_au_medicare, _MEDICARE),
        ),
        context=_MEDICARE,
    ),
    Entity(
        "th_id",
        "mod 11 check digit (python-stdnum); without hyphens a context word",
        forms(
            raw(r"\b[1-8]-[0-9]{4}-[0-9]{5}-[0-9]{2}-[0-9]\b", acceptors.alone(on_compact(th_pin.is_valid))),
            bound(
                r"\b[1-8][ \-]?[0-9]{4}[ \-]?[0-9]{5}[ \-]?[0-9]{2}[ \-]?[0-9]\b",
                th_pin.is_valid,
                _TH,
            ),
        ),
        context=_TH,
    ),
    Entity(
        "tw_id",
        "region letter and check digit",
        forms(bound(r"\b[A-Z][1289][0-9]{8}\b", validators.is_tw_id, _TW, ignore_case=True)),
        context=_TW,
    ),
    Entity(
        "hk_id",
        "check digit; without brackets a context word",
        forms(
            raw(r"\b[A-Z]{1,2}[0-9]{6} ?\([0-9A]\)", acceptors.unlabelled(validators.is_hk_id)),
            bound(r"\b[A-Z]{1,2}[ ]?[0-9]{6}[ \-]?\(?[0-9A]\)?", validators.is_hk_id, _HK, ignore_case=True),
        ),
        context=_HK,
    ),
)
