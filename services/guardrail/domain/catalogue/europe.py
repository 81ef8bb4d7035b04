"""Identifiers of Europe. Checksums with a chance of one in a thousand or less, date included, need no context."""

from __future__ import annotations

from stdnum.at import vnr as at_vnr
from stdnum.be import nn as be_nn
from stdnum.ch import ssn as ch_ssn
from stdnum.de import idnr as de_idnr
from stdnum.dk import cpr as dk_cpr
from stdnum.es import dni as es_dni
from stdnum.es import nie as es_nie
from stdnum.eu import vat as eu_vat
from stdnum.fi import hetu as fi_hetu
from stdnum.fr import nir as fr_nir
from stdnum.gb import nhs as gb_nhs
from stdnum.ie import pps as ie_pps
from stdnum.nl import bsn as nl_bsn
from stdnum.pl import pesel as pl_pesel
from stdnum.pt import nif as pt_nif
from stdnum.se import personnummer as se_personnummer

from services.guardrail.domain import acceptors, validators
from services.guardrail.domain.catalogue.entry import Entity, bound, forms, free, raw

_NHS = "nhs|nhs number|nhs no|national health|patient|health service"
_NINO = "nino|ni number|ni no|nin|national insurance|national insurance number|insurance number|insurance no"
_STEUER = (
    "steuer|steuerid|steuer id|steuer-id|steuer-idnr|steueridentifikationsnummer|steuernummer"
    "|steuerliche identifikationsnummer"
    "|identifikationsnummer|idnr|id-nr|tin|tax|tax id"
)
_AUSWEIS = (
    "personalausweis|personalausweisnummer|ausweis|ausweisnummer|ausweisnr|perso|id card|identity card"
    "|identity document|idcard"
)
_NIR = "nir|nss|insee|securite sociale|numero de securite sociale|secu|n secu|numero secu|assure"
_NIF = "nif|dni|documento|documento nacional|identidad|cif|id fiscal"
_NIE = "nie|extranjero|documento|identidad"
_PESEL = "pesel|numer pesel|nr pesel"
_BSN = "bsn|burgerservicenummer|sofinummer|sofi|burgerservice|service number"
_NN = (
    "rijksregisternummer|rijksregister|numero national|registre national|national number|nationaal nummer|niss"
    "|insz|nrn"
    "|nationalregister|numero de registre national"
)
_PERSONNUMMER = (
    "personnummer|personnr|pnr|person nr|samordningsnummer|personal identity number|personal number|swedish id"
)
_CPR = "cpr|cpr-nr|cpr nr|cpr nummer|cpr-nummer|cprnr|cpr number"
_SVNR = (
    "svnr|sv-nr|sv nr|sozialversicherungsnummer|versicherungsnummer|sozialversicherung|sv-nummer|ecard|e-card"
    "|social insurance"
)
_PT_NIF = "nif|contribuinte|numero de contribuinte|n contribuinte|nipc|identificacao fiscal|fiscal"
_PPS = "pps|ppsn|pps number|pps no|personal public service|public service number"
_VAT = (
    "vat|vat id|vat number|vat no|vat reg|ust-id|ustid|ust-idnr|ustidnr|ust id|umsatzsteuer|umsatzsteuer-id"
    "|tva|iva|btw|btw-nummer"
    "|moms|momsnr|alv|mwst|nip|uid nr|uid nummer|dph|dic|pvm|pvn|km|kmkr|partita iva|p.iva|piva|tax id|tax number"
    "|afm|vies|aafm"
)

ENTITIES: tuple[Entity, ...] = (
    Entity(
        "uk_nhs",
        "mod 11 check digit (python-stdnum)",
        forms(bound(r"\b[0-9]{3}[ \-]?[0-9]{3}[ \-]?[0-9]{4}\b", gb_nhs.is_valid, _NHS)),
        context=_NHS,
    ),
    Entity(
        "uk_nino",
        "letters and prefixes in use; unspaced ones need a context word",
        forms(
            raw(
                r"\b[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] [0-9]{2} [0-9]{2} [0-9]{2} [A-D]\b",
                acceptors.unlabelled(validators.is_uk_nino),
            ),
            bound(
                r"\b[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z][ \-]?[0-9]{2}[ \-]?[0-9]{2}[ \-]?[0-9]{2}[ \-]?[A-D]\b",
                validators.is_uk_nino,
                _NINO,
                ignore_case=True,
            ),
        ),
        context=_NINO,
        misses="numbers whose suffix letter is left out",
    ),
    Entity(
        "de_steuer_id",
        "ISO 7064 mod 11,10 and the rule on repeated digits (python-stdnum)",
        forms(bound(r"\b[0-9]{2}[ ]?[0-9]{3}[ ]?[0-9]{3}[ ]?[0-9]{3}\b", de_idnr.is_valid, _STEUER)),
        context=_STEUER,
    ),
    Entity(
        "de_personalausweis",
        "ICAO 9303 check digit",
        forms(
            bound(r"\b[CFGHJKLMNPRTVWXYZ0-9]{9}[ <]?[0-9](?:D)?\b", validators.is_de_personalausweis, _AUSWEIS),
            bound(r"\b[LMNPRTVWXY][CFGHJKLMNPRTVWXYZ0-9]{7}[0-9]\b", validators.always, _AUSWEIS),
        ),
        context=_AUSWEIS,
        misses="serial numbers without their check digit that end in a letter",
    ),
    Entity(
        "fr_nir",
        "structure and mod 97 key (python-stdnum)",
        forms(
            free(
                r"\b[12][ .]?[0-9]{2}[ .]?[01][0-9][ .]?(?:[0-9]{2}|2[AB])[ .]?[0-9]{3}[ .]?[0-9]{3}[ .\-]?[0-9]{2}\b",
                validators.is_fr_nir,
            ),
            bound(
                r"\b[1-478][ .]?[0-9]{2}[ .]?[0-9]{2}[ .]?(?:[0-9]{2}|2[AB])[ .]?[0-9]{3}[ .]?[0-9]{3}[ .\-]?"
                r"[0-9]{2}\b",
                fr_nir.is_valid,
                _NIR,
            ),
        ),
        context=_NIR,
        misses="thirteen digits without their key; without a context word months that stand for unknown ones",
    ),
    Entity(
        "es_nif",
        "mod 23 letter (python-stdnum); small letters need a context word",
        forms(
            raw(r"\b[0-9]{8}-?[A-Z]\b", acceptors.unlabelled(es_dni.is_valid)),
            bound(r"\b[0-9]{2}\.?[0-9]{3}\.?[0-9]{3}[ \-]?[A-Z]\b", es_dni.is_valid, _NIF, ignore_case=True),
        ),
        context=_NIF,
    ),
    Entity(
        "es_nie",
        "mod 23 letter (python-stdnum); small letters need a context word",
        forms(
            raw(r"\b[XYZ]-?[0-9]{7}-?[A-Z]\b", acceptors.unlabelled(es_nie.is_valid)),
            bound(r"\b[XYZ][ \-]?[0-9]{7}[ \-]?[A-Z]\b", es_nie.is_valid, _NIE, ignore_case=True),
        ),
        context=_NIE,
    ),
    Entity(
        "it_fiscal_code",
        "structure, date and check letter (python-stdnum)",
        forms(
            free(
                r"\b[A-Z]{3}[ ]?[A-Z]{3}[ ]?[0-9LMNPQRSTUV]{2}[A-EHLMPRST][0-9LMNPQRSTUV]{2}"
                r"[ ]?[A-Z][0-9LMNPQRSTUV]{3}[A-Z]\b",
                validators.is_it_fiscal_code,
                ignore_case=True,
            )
        ),
    ),
    Entity(
        "pl_pesel",
        "date and check digit (python-stdnum)",
        forms(bound(r"\b[0-9]{6}[ \-]?[0-9]{5}\b", pl_pesel.is_valid, _PESEL)),
        context=_PESEL,
    ),
    Entity(
        "nl_bsn",
        "elfproef (python-stdnum)",
        forms(bound(r"\b[0-9]{3,4}[ .\-]?[0-9]{2,3}[ .\-]?[0-9]{3}\b", nl_bsn.is_valid, _BSN)),
        context=_BSN,
    ),
    Entity(
        "be_nn",
        "date and mod 97 check (python-stdnum); without punctuation a context word",
        forms(
            raw(r"\b[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}\.[0-9]{2}\b", acceptors.alone(be_nn.is_valid)),
            bound(r"\b[0-9]{2}[ .\-]?[0-9]{2}[ .\-]?[0-9]{2}[ .\-]?[0-9]{3}[ .\-]?[0-9]{2}\b", be_nn.is_valid, _NN),
        ),
        context=_NN,
    ),
    Entity(
        "se_personnummer",
        "date and Luhn (python-stdnum)",
        forms(
            raw(
                r"\b(?:19|20)?[0-9]{6}[ ]?[+\-]?[0-9]{4}\b",
                acceptors.whole(lambda text: bool(se_personnummer.is_valid(text.replace(" ", "")))),
                _PERSONNUMMER,
            )
        ),
        context=_PERSONNUMMER,
    ),
    Entity(
        "fi_hetu",
        "date and mod 31 check character (python-stdnum)",
        forms(
            raw(
                r"\b[0-3][0-9][01][0-9]{3}[\-+A-FU-Y][0-9]{3}[0-9A-FHJ-NPR-Y]\b",
                acceptors.unlabelled(fi_hetu.is_valid),
                ignore_case=True,
            )
        ),
        misses="people born before the nineteenth century",
    ),
    Entity(
        "dk_cpr",
        "date (python-stdnum); the checksum was given up in 2007",
        forms(bound(r"\b[0-3][0-9][01][0-9]{3}[ \-]?[0-9]{4}\b", dk_cpr.is_valid, _CPR)),
        context=_CPR,
    ),
    Entity(
        "ch_ahv",
        "country prefix 756 and EAN-13 check digit (python-stdnum)",
        forms(
            free(r"\b756[. ]?[0-9]{4}[. ]?[0-9]{4}[. ]?[0-9]{2}\b", ch_ssn.is_valid),
        ),
    ),
    Entity(
        "at_svnr",
        "date and check digit (python-stdnum)",
        forms(bound(r"\b[1-9][0-9]{3}[ \-]?[0-9]{2}[ .]?[0-9]{2}[ .]?[0-9]{2}\b", at_vnr.is_valid, _SVNR)),
        context=_SVNR,
    ),
    Entity(
        "pt_nif",
        "mod 11 check digit (python-stdnum)",
        forms(bound(r"\b(?:PT ?)?[1-9][0-9]{2}[ .]?[0-9]{3}[ .]?[0-9]{3}\b", pt_nif.is_valid, _PT_NIF)),
        context=_PT_NIF,
    ),
    Entity(
        "ie_pps",
        "mod 23 check letter (python-stdnum); small letters need a context word",
        forms(
            raw(r"\b[0-9]{7}[A-W][ABHWTX]?\b", acceptors.unlabelled(ie_pps.is_valid)),
            bound(r"\b[0-9]{7}[ \-]?[A-W][ABHWTX]?\b", ie_pps.is_valid, _PPS, ignore_case=True),
        ),
        context=_PPS,
    ),
    Entity(
        "eu_vat",
        "the member state's structure and check digits (python-stdnum)",
        forms(
            raw(
                r"\b(?:AT|BE|BG|CY|CZ|DE|DK|EE|EL|ES|FI|FR|GR|HR|HU|IE|IT|LT|LU|LV|MT|NL|PL|PT|RO|SE|SI|SK|XI)"
                r"[ \-]?[0-9A-Z](?:[ .\-]?[0-9A-Z]){6,11}\b",
                acceptors.longest_whole(validators.on_compact(eu_vat.is_valid)),
                _VAT,
            )
        ),
        context=_VAT,
        misses="numbers without their country prefix",
    ),
)
