# ruff: noqa: E501
"""Labelled documents for personal data: twelve languages' sentences and forms, and hard negatives that only look alike.

A template's `{name}` is filled by the maker of that name; names of entities are labelled, the others are noise.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.bench import pii_numbers as make
from tests.bench import pii_tokens as tokens

LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "pl", "ja", "ko", "zh", "ru")
_FIELD = re.compile(r"\{([a-z_0-9]+)\}")


@dataclass(frozen=True, slots=True)
class Document:
    """A text, its labelled spans (entity, start, end), and what it is an example of."""

    text: str
    spans: tuple[tuple[str, int, int], ...]
    kind: str


ENTITIES: Mapping[str, make.Make] = {
    "email": make.email, "credit_card": make.credit_card, "iban": make.iban, "ssn": make.ssn, "ip": make.ip, "ip4": make.ip_v4,
    "mac_address": make.mac, "uk_nhs": make.uk_nhs, "uk_nino": make.uk_nino, "de_steuer_id": make.de_steuer_id,
    "de_personalausweis": make.de_personalausweis, "fr_nir": make.fr_nir, "es_nif": make.es_nif, "es_nie": make.es_nie,
    "it_fiscal_code": make.it_fiscal_code, "pl_pesel": make.pl_pesel, "nl_bsn": make.nl_bsn, "be_nn": make.be_nn,
    "se_personnummer": make.se_personnummer, "fi_hetu": make.fi_hetu, "dk_cpr": make.dk_cpr, "ch_ahv": make.ch_ahv,
    "at_svnr": make.at_svnr, "pt_nif": make.pt_nif, "ie_pps": make.ie_pps, "eu_vat": make.eu_vat,
    "in_aadhaar": make.in_aadhaar, "in_pan": make.in_pan, "jp_mynumber": make.jp_mynumber, "kr_rrn": make.kr_rrn,
    "cn_resident_id": make.cn_resident_id, "sg_nric": make.sg_nric, "au_tfn": make.au_tfn, "au_abn": make.au_abn,
    "au_medicare": make.au_medicare, "th_id": make.th_id, "tw_id": make.tw_id, "hk_id": make.hk_id, "ca_sin": make.ca_sin,
    "br_cpf": make.br_cpf, "br_cnpj": make.br_cnpj, "mx_curp": make.mx_curp, "ar_cuit": make.ar_cuit,
    "cl_rut": make.cl_rut, "za_id": make.za_id, "il_id": make.il_id, "tr_tckn": make.tr_tckn, "itin": make.itin,
    "us_npi": make.us_npi, "us_dea": make.us_dea, "us_bank_routing": make.us_bank_routing,
    "bitcoin_address": make.bitcoin_address, "ethereum_address": make.ethereum_address, "date_of_birth": make.date_text,
    "swift_bic": tokens.swift_bic, "url": tokens.url, "jwt": tokens.jwt, "aws_access_key": tokens.aws_access_key,
    "api_key_openai": tokens.api_key_openai, "us_passport": tokens.us_passport, "us_driver_license": tokens.us_driver_license,
    "icd10": tokens.icd10, "ndc": tokens.ndc, "mrn": tokens.mrn,
}  # fmt: skip

IN_CONTEXT: Mapping[str, Sequence[str]] = {
    "ssn": ("Her social security number is {ssn}.", "SSN: {ssn}", '{{"ssn": "{ssn}"}}', "employee {name}, {ssn}, hired {date}"),
    "uk_nhs": ("NHS number {uk_nhs} was referred", "patient NHS No: {uk_nhs}"),
    "uk_nino": ("My National Insurance number is {uk_nino}.", "NINO: {uk_nino}"),
    "de_steuer_id": ("Meine Steuer-ID lautet {de_steuer_id}.", "IdNr.: {de_steuer_id}"),
    "de_personalausweis": ("Personalausweisnummer: {de_personalausweis}", "Ausweis {de_personalausweis} vorgelegt"),
    "fr_nir": ("Numéro de sécurité sociale : {fr_nir}", "NIR {fr_nir}", "dossier {fr_nir} reçu"),
    "es_nif": ("DNI: {es_nif}", "con NIF {es_nif}, vecino de Madrid", "El titular {es_nif} firma"),
    "es_nie": ("NIE {es_nie}", "El titular {es_nie} firma"),
    "it_fiscal_code": ("Codice fiscale: {it_fiscal_code}", "il sottoscritto {it_fiscal_code}"),
    "pl_pesel": ("PESEL: {pl_pesel}", "Numer PESEL {pl_pesel}"),
    "nl_bsn": ("BSN {nl_bsn}", "Mijn burgerservicenummer is {nl_bsn}"),
    "be_nn": ("Rijksregisternummer: {be_nn}", "numéro national {be_nn}"),
    "se_personnummer": ("Personnummer: {se_personnummer}", "mitt personnummer är {se_personnummer}"),
    "fi_hetu": ("henkilötunnus {fi_hetu}", "asiakas {fi_hetu} soitti"),
    "dk_cpr": ("CPR-nummer: {dk_cpr}", "mit CPR-nr. er {dk_cpr}"),
    "ch_ahv": ("AHV-Nr. {ch_ahv}", "versichert unter {ch_ahv}"),
    "at_svnr": ("SVNR: {at_svnr}", "Sozialversicherungsnummer {at_svnr}"),
    "pt_nif": ("NIF: {pt_nif}", "número de contribuinte {pt_nif}"),
    "ie_pps": ("PPS number {ie_pps}", "PPSN: {ie_pps}"),
    "eu_vat": ("USt-IdNr. {eu_vat}", "VAT number: {eu_vat}"),
    "in_aadhaar": ("Aadhaar number: {in_aadhaar}", "my aadhaar is {in_aadhaar}"),
    "in_pan": ("PAN: {in_pan}", "Permanent Account Number {in_pan}"),
    "jp_mynumber": ("マイナンバー：{jp_mynumber}", "個人番号は{jp_mynumber}です"),
    "kr_rrn": ("주민등록번호: {kr_rrn}", "본인 {kr_rrn} 확인"),
    "cn_resident_id": ("身份证号码：{cn_resident_id}", "客户 {cn_resident_id} 已登记"),
    "sg_nric": ("NRIC {sg_nric}", "the applicant {sg_nric} lives here"),
    "au_tfn": ("TFN: {au_tfn}", "tax file number {au_tfn}"),
    "au_abn": ("ABN {au_abn}", "Australian Business Number: {au_abn}"),
    "au_medicare": ("Medicare number {au_medicare}", "Medicare card: {au_medicare}"),
    "th_id": ("เลขบัตรประชาชน {th_id}", "Thai national ID: {th_id}"),
    "tw_id": ("身分證字號：{tw_id}", "Taiwan national ID {tw_id}"),
    "hk_id": ("HKID: {hk_id}", "holder {hk_id} signed"),
    "ca_sin": ("SIN: {ca_sin}", "social insurance number {ca_sin}"),
    "br_cpf": ("CPF: {br_cpf}", "CPF nº {br_cpf}"),
    "br_cnpj": ("CNPJ: {br_cnpj}", "empresa inscrita no CNPJ {br_cnpj}"),
    "mx_curp": ("CURP: {mx_curp}", "el ciudadano {mx_curp}"),
    "ar_cuit": ("CUIT {ar_cuit}", "CUIL: {ar_cuit}"),
    "cl_rut": ("RUT {cl_rut}", "RUN: {cl_rut}"),
    "za_id": ("ID number: {za_id}", "South African ID {za_id}"),
    "il_id": ("תעודת זהות: {il_id}", "Israeli ID {il_id}"),
    "tr_tckn": ("T.C. Kimlik No: {tr_tckn}", "kimlik numarası {tr_tckn}"),
    "itin": ("ITIN {itin}", "taxpayer {itin} filed"),
    "us_npi": ("NPI: {us_npi}", "provider NPI {us_npi}"),
    "us_dea": ("DEA number {us_dea}", "DEA: {us_dea}"),
    "us_bank_routing": ("routing number {us_bank_routing}", "ABA {us_bank_routing}"),
    "bitcoin_address": ("send it to {bitcoin_address} today",),
    "ethereum_address": ("wallet {ethereum_address}", '{{"to": "{ethereum_address}"}}'),
    "date_of_birth": ("Date of birth: {date_of_birth}", "geboren am {date_of_birth}", "né le {date_of_birth}"),
    "swift_bic": ("BIC {swift_bic}", "SWIFT code: {swift_bic}", "Bank BIC/SWIFT: {swift_bic}, branch 2"),
    "url": ("see {url} for more", "Source: {url}.", '<a href="{url}">here</a>', "({url})"),
    "jwt": ("Authorization: Bearer {jwt}", '{{"token": "{jwt}"}}', "jwt={jwt}"),
    "aws_access_key": ("aws_access_key_id = {aws_access_key}", "key {aws_access_key} leaked"),
    "api_key_openai": ("OPENAI_API_KEY={api_key_openai}", "use {api_key_openai} for now"),
    "us_passport": ("Passport number: {us_passport}", "my passport is {us_passport}", '{{"passport_no": "{us_passport}"}}'),
    "us_driver_license": ("Driver's license {us_driver_license}", "driver license no: {us_driver_license}", "DL# {us_driver_license}"),
    "icd10": ("Diagnosis: {icd10}", "ICD-10 code {icd10}", "dx {icd10}, follow up in June"),
    "ndc": ("NDC {ndc}", "medication {ndc} dispensed"),
    "mrn": ("MRN: {mrn}", "medical record number {mrn}", "Patient ID {mrn} admitted"),
    "mac_address": ("device {mac_address} joined", "hwaddr={mac_address}"),
}  # fmt: skip

_MAIL = {
    "en": ("Write to {email} for details.", "From: <{email}>", "contact={email};"), "de": ("Bitte an {email} schreiben.",),
    "fr": ("Écrivez à {email}, merci.",), "es": ("Mi correo es {email}.",), "it": ("Scrivimi a {email}!",),
    "pt": ("Meu e-mail é {email}.",), "nl": ("Mail naar {email}.",), "pl": ("Napisz na {email}.",),
    "ja": ("連絡先は{email}です。",), "ko": ("이메일은 {email}입니다.",), "zh": ("请发邮件至{email}，谢谢",),
    "ru": ("Пишите на {email}.",),
}  # fmt: skip
_PAY = {
    "en": ("My card is {credit_card}, valid until 12/29.", "Pay to {iban} please"),
    "de": ("Kreditkarte {credit_card}", "Überweisung an {iban}."), "fr": ("Carte {credit_card}", "virement vers {iban}"),
    "es": ("Tarjeta {credit_card}", "Cuenta {iban}"), "it": ("Carta {credit_card}", "IBAN {iban}"),
    "pt": ("Cartão {credit_card}", "conta {iban}"), "nl": ("kaart {credit_card}", "rekening {iban}"),
    "pl": ("Karta {credit_card}", "rachunek {iban}"), "ja": ("カード番号{credit_card}", "口座{iban}"),
    "ko": ("카드 {credit_card}", "계좌 {iban}"), "zh": ("卡号：{credit_card}", "账户{iban}"),
    "ru": ("карта {credit_card}", "счёт {iban}"),
}  # fmt: skip
_CALL = {
    "en": ("Call me on {phone}.", "Phone: {phone}", "reach us at {phone} or by mail"),
    "de": ("Telefon: {phone}", "Rufen Sie {phone} an."), "fr": ("Tél. {phone}", "Téléphone : {phone}"),
    "es": ("Teléfono {phone}", "Llame al {phone}."), "it": ("Telefono: {phone}", "cellulare {phone}"),
    "pt": ("Telefone {phone}", "celular: {phone}"), "nl": ("Telefoon {phone}", "bel {phone}"),
    "pl": ("Telefon: {phone}", "tel. {phone}"), "ja": ("電話：{phone}", "携帯 {phone}"), "ko": ("전화 {phone}", "연락처: {phone}"),
    "zh": ("电话：{phone}", "手机 {phone}"), "ru": ("Телефон: {phone}", "звоните {phone}"),
}  # fmt: skip
_PLAIN = ("{phone}", "office {phone}, third floor", "{name} <{email}> {phone}")
_NET = (
    "connection from {ip} refused",
    "host={ip} up",
    "ping {ip}",
    "Peer [{ip}] closed",
    '{ip} - - [{apache}] "GET / HTTP/1.1" 200 {int4}',
)

NEGATIVES: Mapping[str, Sequence[str]] = {
    "orders": ("Order #{int9} shipped", "order no. {d3}-{d3}-{d4}", "Invoice {d3}-{d2}-{d4} is due", "PO {int10} tracking {int12}",
               "ticket {d3}.{d3}.{d4}", "SKU {up2}{int7}", "Bestellung {int11}", "commande n° {int10}", "part {d4}-{d3}-{d2}"),
    "hashes": ("sha256:{hex64}", "commit {hex40}", "md5 {hex32}", "{hex8}", "etag \"{hex16}\"", "0x{hex16}", "crc32={hex8}"),
    "uuids": ("id {uuid}", "{uuid}.json", "/v1/items/{uuid}/parts"),
    "versions": ("version {v4}", "v{v4}", "upgrade to {v4}", "package=={v3}", "Chrome/{d3}.0.0.0 Safari/537.36", "release {v4}-rc1",
                 "firmware: {v4}", "lodash@{v3}"),
    "prices": ("total ${int3},{d3}.{d2}", "€ {int3}.{d3}.{d3},{d2}", "{int3} {d3} {d3} Ft", "1,{d3},{d3} units", "CHF {int4}.50"),
    "times": ("{iso}", "{epoch}", "{epochms}", "{date} {clock}", "took {int4}.{d3}{d3} s", "{d2}:{d2}:{d2}.{d6}"),
    "code": ("x = {int9}; y = [{int4}, {int4}, {int10}]", "std::pair<int, int> p({int4}, {int5});", "if (n > {int10}UL) return;",
             "#define MASK 0x{hex8}", "color: #{hex6}; margin: {int3}px {int3}px", "import a.b.c@{v3}", "icon@2x.png 3x",
             "SELECT * FROM t WHERE id IN ({int7}, {int8}, {int9})", "std::vector<f64>::iterator a::b1", "git@github.com:org/repo.git"),
    "tables": ("{int3} {d3} {d4}\n{int3} {d3} {d4}\n{int3} {d2} {d4}", "{int9}\t{int8}\t{int4}", "| {int10} | {int11} | {int12} |",
               "{d4} {d4} {d4} {d4} {d4} {d4}", "{int5},{int7},{int9},{int11},{int13}", "{d2} {d2} {d2} {d2} {d2} {d2}"),
    "long digits": ("{int13}", "{int15}", "{int18}", "{int20}", "blk_-{int19}", "0.{int16}", "{int24}"),
    "prose": ("The text of chapter {d2} was due in {int4}.", "I met {int3} people on May {d2} and called it a day.",
              "Contact the team about ticket {int8}.", "Room {int4}, floor {d2}, desk {d3}-{d2}", "Score 3-1, 21-19, 6-4"),
}  # fmt: skip


def _hex(count: int) -> make.Make:
    return lambda rng: "".join(rng.choices("0123456789abcdef", k=count))


def _int(count: int) -> make.Make:
    return lambda rng: make.digits(rng, count, "123456789")


def _digits(count: int) -> make.Make:
    return lambda rng: "".join(rng.choices("0123456789", k=count))


def _uuid(rng: random.Random) -> str:
    return make.group(_hex(32)(rng), (8, 4, 4, 4, 12), "-")


def _numbered(count: int) -> make.Make:
    return lambda rng: ".".join(str(rng.randint(0, 99)) for _ in range(count))


def _clock(rng: random.Random) -> str:
    return f"{rng.randrange(24):02d}:{rng.randrange(60):02d}:{rng.randrange(60):02d}"


def _date(rng: random.Random) -> str:
    return f"20{rng.randint(15, 25)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"


NOISE: Mapping[str, make.Make] = {
    **{f"hex{n}": _hex(n) for n in (4, 6, 8, 12, 16, 32, 40, 64)},
    **{f"int{n}": _int(n) for n in range(1, 25)},
    **{f"d{n}": _digits(n) for n in range(1, 8)},
    "uuid": _uuid, "v3": _numbered(3), "v4": _numbered(4), "clock": _clock, "date": _date,
    "iso": lambda rng: f"{_date(rng)}T{_clock(rng)}.{rng.randrange(1000):03d}Z",
    "epoch": lambda rng: str(rng.randint(1_400_000_000, 1_790_000_000)),
    "epochms": lambda rng: str(rng.randint(1_400_000_000_000, 1_790_000_000_000)),
    "apache": lambda rng: f"{rng.randint(1, 28):02d}/Mar/20{rng.randint(15, 25)}:{_clock(rng)} +0{rng.randint(0, 9)}00",
    "up2": lambda rng: "".join(rng.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=2)),
    "name": lambda rng: rng.choice(["Anna Smith", "K. Meier", "José Ruiz", "Li Wei", "Olga Petrova"]),
    "word": lambda rng: rng.choice(["session", "worker", "index", "shard", "cache", "router", "queue"]),
}  # fmt: skip


def render(rng: random.Random, template: str, kind: str, phones: Sequence[str] = ()) -> Document:
    """The template filled, with the entities' spans."""
    out, spans, at, size = [], [], 0, 0
    for field in _FIELD.finditer(template.replace("{{", "\x01").replace("}}", "\x02")):
        plain = template.replace("{{", "\x01").replace("}}", "\x02")[at : field.start()]
        name = field.group(1)
        if name == "phone":
            value = make.fill(rng, rng.choice(phones or make.PHONES["en"]))
        else:
            value = ENTITIES[name](rng) if name in ENTITIES else NOISE[name](rng)
        size += len(plain)
        if name in ENTITIES or name == "phone":
            spans.append((name.removesuffix("4"), size, size + len(value)))
        out += [plain, value]
        size += len(value)
        at = field.end()
    out.append(template.replace("{{", "\x01").replace("}}", "\x02")[at:])
    return Document("".join(out).replace("\x01", "{").replace("\x02", "}"), tuple(spans), kind)


def positives(rng: random.Random, rounds: int) -> list[Document]:
    """Every entity in its usual surroundings."""
    found = []
    for _ in range(rounds):
        for name, templates in IN_CONTEXT.items():
            found += [render(rng, template, name) for template in templates]
        for language in LANGUAGES:
            for template in (*_MAIL[language], *_PAY[language]):
                found.append(render(rng, template, language))
            for template in _CALL[language]:
                found.append(render(rng, template, language, (*make.PHONES[language], *make.NATIONAL[language])))
            found += [render(rng, template, language, make.PHONES[language]) for template in _PLAIN]
        found += [render(rng, template, "network") for template in _NET]
    return found


def negatives(rng: random.Random, rounds: int) -> list[Document]:
    """What only looks like personal data."""
    return [
        render(rng, template, kind)
        for _ in range(rounds)
        for kind, templates in NEGATIVES.items()
        for template in templates
    ]
