"""Identifiers of the Americas beside the United States, of Africa and of the Middle East."""

from __future__ import annotations

from stdnum.ar import cuit as ar_cuit
from stdnum.br import cnpj as br_cnpj
from stdnum.br import cpf as br_cpf
from stdnum.ca import sin as ca_sin
from stdnum.cl import rut as cl_rut
from stdnum.il import idnr as il_idnr
from stdnum.mx import curp as mx_curp
from stdnum.tr import tckimlik as tr_tckimlik
from stdnum.za import idnr as za_idnr

from services.guardrail.domain import acceptors
from services.guardrail.domain.catalogue.entry import Entity, bound, forms, free, raw
from services.guardrail.domain.validators import on_compact

_SIN = "sin|social insurance|social insurance number|nas|assurance sociale|numero d'assurance sociale"
_CPF = "cpf|cadastro de pessoas|cadastro de pessoa fisica|pessoa fisica|documento|contribuinte"
_CNPJ = "cnpj|cadastro nacional|pessoa juridica|empresa"
_CUIT = "cuit|cuil|clave unica|identificacion tributaria|identificacion laboral"
_RUT = "rut|run|rol unico|rol unico tributario|rol unico nacional|cedula"
_ZA = (
    "id number|id no|identity number|south african id|sa id|said|identity document|rsa id|id-nommer"
    "|identiteitsnommer|national id"
)
_IL = (
    "teudat zehut|teudat-zehut|israeli id|id number|id no|identity number|mispar zehut|t.z"
    '|תעודת זהות|מספר זהות|ת.ז|ת"ז|ת״ז|זהות'
)
_TCKN = (
    "tckn|tc kimlik|tc kimlik no|t.c. kimlik no|kimlik|kimlik no|kimlik numarasi|kimlik numaram|tc no|tc"
    "|turkish id|national id"
)

ENTITIES: tuple[Entity, ...] = (
    Entity(
        "ca_sin",
        "Luhn and assigned first digits (python-stdnum)",
        forms(bound(r"\b[1-79][0-9]{2}[ \-]?[0-9]{3}[ \-]?[0-9]{3}\b", ca_sin.is_valid, _SIN)),
        context=_SIN,
    ),
    Entity(
        "br_cpf",
        "two check digits (python-stdnum); without punctuation a context word",
        forms(
            raw(r"\b[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}\b", acceptors.alone(br_cpf.is_valid)),
            bound(r"\b[0-9]{3}[. ]?[0-9]{3}[. ]?[0-9]{3}[ \-]?[0-9]{2}\b", br_cpf.is_valid, _CPF),
        ),
        context=_CPF,
    ),
    Entity(
        "br_cnpj",
        "two check digits, letters of the 2026 format included (python-stdnum); without punctuation a context word",
        forms(
            raw(
                r"\b[0-9A-Z]{2}\.[0-9A-Z]{3}\.[0-9A-Z]{3}/[0-9A-Z]{4}-[0-9]{2}\b",
                acceptors.alone(on_compact(br_cnpj.is_valid)),
            ),
            bound(
                r"\b[0-9A-Z]{2}[. ]?[0-9A-Z]{3}[. ]?[0-9A-Z]{3}[/ ]?[0-9A-Z]{4}[ \-]?[0-9]{2}\b",
                br_cnpj.is_valid,
                _CNPJ,
            ),
        ),
        context=_CNPJ,
    ),
    Entity(
        "mx_curp",
        "structure, date and check digit (python-stdnum)",
        forms(
            free(
                r"\b[A-Z][AEIOUX][A-Z]{2}[0-9]{6}[HMX][A-Z]{2}[B-DF-HJ-NP-TV-Z]{3}[0-9A-Z][0-9]\b",
                mx_curp.is_valid,
                ignore_case=True,
            )
        ),
    ),
    Entity(
        "ar_cuit",
        "type prefix and mod 11 check digit (python-stdnum); without hyphens a context word",
        forms(
            raw(
                r"\b(?:2[03-7]|3[034])-[0-9]{2}\.?[0-9]{3}\.?[0-9]{3}-[0-9]\b",
                acceptors.unlabelled(on_compact(ar_cuit.is_valid)),
            ),
            bound(r"\b(?:2[03-7]|3[034])[ \-]?[0-9]{8}[ \-]?[0-9]\b", ar_cuit.is_valid, _CUIT),
        ),
        context=_CUIT,
    ),
    Entity(
        "cl_rut",
        "mod 11 check character (python-stdnum); without dots a context word",
        forms(
            raw(r"\b[0-9]{1,2}\.[0-9]{3}\.[0-9]{3}-[0-9Kk]\b", acceptors.alone(on_compact(cl_rut.is_valid))),
            bound(r"\b(?:[0-9]{1,2}\.?)?[0-9]{3}\.?[0-9]{3}[ \-]?[0-9K]\b", cl_rut.is_valid, _RUT, ignore_case=True),
        ),
        context=_RUT,
    ),
    Entity(
        "za_id",
        "date, citizenship digit and Luhn (python-stdnum)",
        forms(bound(r"\b[0-9]{6}[ ]?[0-9]{4}[ ]?[0-9]{3}\b", za_idnr.is_valid, _ZA)),
        context=_ZA,
    ),
    Entity(
        "il_id",
        "Luhn over nine digits (python-stdnum)",
        forms(bound(r"\b[0-9]{8}-?[0-9]\b", il_idnr.is_valid, _IL)),
        context=_IL,
        misses="numbers written without their leading zeros",
    ),
    Entity(
        "tr_tckn",
        "two check digits (python-stdnum)",
        forms(bound(r"\b[1-9][0-9]{10}\b|\b[1-9][0-9]{2} [0-9]{3} [0-9]{3} [0-9]{2}\b", tr_tckimlik.is_valid, _TCKN)),
        context=_TCKN,
    ),
)
