"""Every entity of the catalogue is found as people write it, and only after its context words where it needs them."""

from __future__ import annotations

import pytest

from services.guardrail.domain import entities
from services.guardrail.domain.model import Action, Stage
from tests.unit.guardrail.builders import policy, rule

POLICIES = {name: policy(rule(entities=[name], action="flag")) for name in entities.NAMES}

FOUND = {
    "email": ["«bob.smith+x@example.co.uk».", "请联系«bob@example.com»谢谢", "«josé@example.com»", "<«x_y@a-b.org»>"],
    "phone": [
        "«+44 20 7946 0958»; «+49 (0)30 1234567»",
        "«(212) 555-0100» or «1-212-555-0100» or «212.555.0100»",
        "appelez le «06 12 34 56 78» ou «01.23.45.67.89»",
        "電話は「«090-1234-5678»」、전화 «010-1234-5678»",
        "fone «(11) 91234-5678», tel: «020 7946 0958», 电话：«13812345678»",
        '{"mobileNumber": "«2125550100»"} call «123-456-7890» or phone «555-1234»',
        "«555-123-4567», «+1-555-123-4567», «555.123.4567x890»",
        "Телефон «8 912 345-67-89», teléfono «612 345 678», Handy «0171 2345678»",
        "«+44 7911 123456», «+45 9902 4445», «0161 496 0041», tel «02079460018», Mitt telefonnummer er «41129480»",
        "Telefonul meu este «0262 269 587», הטלפון שלי «04-9390-772», A telefonszámom «06-3/100 6123»",
        "«００４４ ２０ ７９４６ ０９５８» call «+４４ ２０ ７９４６ ０９５８»",
    ],
    "credit_card": [
        "«4111 1111 1111 1111», «3782 822463 10005»",
        "«4\u200b111111111111111»",
        "«2223003122003222»",
        "«4111.1111.1111.1111»",
        "Anna,«4532015112830366»,12/27\n1,«5105105105105100»,«4532015112830366»",
        "pan=«4532015112830366»&exp=12, cc=«4222222222222», Visa-«4532015112830366»",
        "card «213129925424012», carte «060455963557», creditCardNumber: «676181539013»",
        "card of customer «4532015112830366»",
    ],
    "iban": ["«DE89 3704 0044 0532 0130 00» please", "«gb82west12345698765432»", "«BE68539007547034»"],
    "swift_bic": ["BIC «NEDSZAJJ», SWIFT: «DEUTDEFF500»"],
    "ip": [
        "from «10.0.0.1»:80, [«::1»] «2001:db8::8a2e:370:7334».",
        "/«10.250.19.102»:54106",
        "«10.0.0.1»,«10.0.0.2», «::ffff:192.0.2.128»",
    ],
    "mac_address": ["«00:1b:44:11:3a:b7» «00-1B-44-11-3A-B7» «001b.4411.3ab7»"],
    "url": ["see «https://example.com/a?b=(c)».", "(«www.example.org»)", "链接«http://10.0.0.1:8080/x»。"],
    "bitcoin_address": ["«1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa» «bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq»"],
    "ethereum_address": ["«0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed» «0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed»"],
    "date_of_birth": [
        "DOB: «1985-03-12», born on «March 12, 1985»; geboren am «12.03.1985»; né le «12 mars 1985»",
        "дата рождения «12.03.1985» 生年月日：«1985/03/12»",
    ],
    "jwt": ["Bearer «eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcDEF123_-»."],
    "aws_access_key": ["key=«AKIAABCDEFGHIJKLMNOP»"],
    "api_key_openai": ["«sk-proj-abcdEFGH1234ijklMNOP5678qrstUVWX9012yzAB3456»"],
    "ssn": ["«123-45-6789»", "my ssn is «123456789»", '{"user_ssn": "«123 45 6789»"}'],
    "itin": ["«912-70-1234», ITIN «912701234»"],
    "us_passport": ["passport no. «123456789», Passport: «C12345678»"],
    "us_bank_routing": ["routing number «021000021»"],
    "us_npi": ["NPI «1234567893»"],
    "us_dea": ["DEA# «AB1234563»"],
    "us_driver_license": ["driver's license «D1234567», DL: «S123-456-78-901»"],
    "icd10": ["diagnosis «E11.9» and «J45.901»"],
    "ndc": ["NDC «0777-3105-02»"],
    "mrn": ["MRN: «00123456», medical record number «AB-1234567»"],
    "uk_nhs": ["NHS number «943 476 5919» or «9434765919»"],
    "uk_nino": ["«AB 12 34 56 C», National Insurance AB123456E «ab123456c»"],
    "de_steuer_id": ["Steuer-ID: «86 095 742 719», IdNr «86095742719»"],
    "de_personalausweis": ["Personalausweis «T220001293»"],
    "fr_nir": ["«2 95 10 99 126 111 93» «295109912611193»"],
    "es_nif": ["«12345678Z», dni «12.345.678-z»"],
    "es_nie": ["«X1234567L», nie «x-1234567-l»"],
    "it_fiscal_code": ["«RSSMRA85T10A562S»"],
    "pl_pesel": ["PESEL «44051401359»"],
    "nl_bsn": ["BSN «111222333»"],
    "be_nn": ["«85.07.30-033.28», rijksregisternummer «85073003328»"],
    "se_personnummer": ["personnummer «811218-9876» «19811218-9876»"],
    "fi_hetu": ["«131052-308T»"],
    "dk_cpr": ["CPR-nr. «211062-5629»"],
    "ch_ahv": ["«756.9217.0769.85»"],
    "at_svnr": ["SVNR «1237 010180»"],
    "pt_nif": ["NIF «501 442 600»"],
    "ie_pps": ["«1234567T», ppsn «1234567fa»"],
    "eu_vat": ["VAT no. «DE136695976», TVA «FR 40 303265045»"],
    "in_aadhaar": ["Aadhaar: «2341 2341 2346»"],
    "in_pan": ["PAN «ABCPE1234F»"],
    "jp_mynumber": ["マイナンバーは«1234 5678 9018»です"],
    "kr_rrn": ["«971013-9019902», 주민등록번호 «9710139019902»"],
    "cn_resident_id": ["«11010519491231002X»号"],
    "sg_nric": ["«S1234567D» «F1234567N»"],
    "au_tfn": ["TFN «123 456 782»"],
    "au_abn": ["ABN «51 824 753 556»"],
    "au_medicare": ["Medicare card «2123 45670 1»"],
    "th_id": ["«7-1005-57485-29-7», เลขบัตรประชาชน «7100557485297»"],
    "tw_id": ["身分證字號 «A123456789»"],
    "hk_id": ["«A123456(3)», HKID: «A1234563»"],
    "ca_sin": ["SIN «123-456-782»"],
    "br_cpf": ["«390.533.447-05», CPF «39053344705»"],
    "br_cnpj": ["«16.727.230/0001-97», cnpj «16727230000197»", "«12.ABC.345/01DE-35»"],
    "mx_curp": ["«BOXW310820HNERXN09»"],
    "ar_cuit": ["«20-05536168-2», CUIL «20055361682»"],
    "cl_rut": ["«12.531.909-2», RUT «12531909-2»"],
    "za_id": ["ID number: «7503305044089»"],
    "il_id": ["תעודת זהות «039337423»"],
    "tr_tckn": ["T.C. Kimlik No «17291716060»"],
}

LEFT_ALONE = {
    "email": [
        "a@b and @example.com and foo@localhost and icon@2x.png",
        "git clone git@github.com:org/repo.git",
        "postgres://user:secret@db.example.com/x",
        "lodash@4.17.21 getty@tty1.service",
        "y = w@x.reshape(3, 4)",
        "message-id=<20240101.ABC@mail.example.com>",
    ],
    "phone": [
        "2024-01-02 10:11:12,123 INFO 1704189072123",
        "order 212-555-0100, invoice no. 415-555-2671",
        "550e8400-e29b-41d4-a716-446655440000",
        "+0000 and UTC+01:00 and x=+12345",
        "0012345678901 and 00-11-22-33-44-55-66",
        "call 2024-05-05, tel. 3.14159265358",
        "212 555 0100 4155 5526 71",
        "12.5 212 555 0100",
        "0059 5806 1790 6828",
        "0794 1882 4749",
        "mobile data 1234567",
        "Boston, MA 02110-1301, USA",
        "np.arange(6) + 98172488",
        "medication 07698-667-36",
    ],
    "credit_card": [
        "4111 1111 1111 1112",
        "0.4111111111111111",
        "4006381333931",
        "DE89 3704 0044 0532 0130 01",
        "a4111111111111111 and blk_-4111111111111111",
        '{"order_id": "4532015112830366"}, tracking number: 4532 0151 1283 0366, #4532015112830366',
        "568442061563225 677916871452353354 060455963557",
        "0,4532015112830366 and $4532015112830366",
        "4559 9661 6657 8101 6498 8631",
        "5104 5105 5106 5107",
    ],
    "ip": [
        "version 1.2.3.4",
        "v1.2.3.4",
        "Chrome/120.0.0.0",
        "1.2.3.4.5 and 999.1.1.1",
        "12:34:56 std::a1 dead::beef",
        "==1.2.3.4",
        'ObjectIdentifier("2.5.4.3")',
    ],
    "ssn": [
        "order 123-45-6789",
        "P/N 123-45-6789",
        "000-12-3456 666-12-3456",
        "200 12 3456",
        "a-123-45-6789",
        "ssn 123-45-67890",
    ],
    "mac_address": ["00:1b:44:11:3a:b7:00:11", "12:34:56", "0250.0020.0002"],
    "ethereum_address": ["0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD", "0x" + "0" * 40, "0x" + "ab" * 32],
    "swift_bic": ["SWIFT TRANSFER ABSOLUTE"],
    "es_nif": ["12345678A", "order 12345678Z"],
    "date_of_birth": ["born 1985-02-30", "1985-03-12", "dob 2031-01-01"],
    "fr_nir": ["295109912611194", "747135967951605"],
    "url": ["https:// and http://? and www."],
    "jwt": ["eyJhbGciOiJIUzI1NiJ9.x.y", "eyJub3QiOiJqd3QifQ.eyJzdWIiOiIxIn0.abc"],
    "api_key_openai": ["sk-ant-api03-abcdEFGH1234ijklMNOP5678qrst", "sk-learn-is-a-library-for-machine-learning-1"],
}


def parse(marked: str) -> tuple[str, list[str]]:
    found = [part.partition("»")[0] for part in marked.split("«")[1:]]
    return marked.replace("«", "").replace("»", ""), found


def spans(name: str, text: str) -> list[str]:
    found = POLICIES[name].find(text, "user")
    return [text[f.start : f.end] for f in sorted(found, key=lambda f: f.start)]


def test_the_table_covers_the_catalogue() -> None:
    assert set(FOUND) == set(entities.NAMES)


@pytest.mark.parametrize(("name", "marked"), [(name, text) for name, texts in FOUND.items() for text in texts])
def test_an_entity_is_found_as_it_is_written(name: str, marked: str) -> None:
    text, expected = parse(marked)
    assert spans(name, text) == expected


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in LEFT_ALONE.items() for text in texts])
def test_what_only_looks_like_it_is_left_alone(name: str, text: str) -> None:
    assert spans(name, text) == []


BOUND = sorted(name for name, entity in entities.CATALOGUE.items() if entity.context)


@pytest.mark.parametrize("name", [n for n in BOUND if n not in ("phone", "ssn", "itin", "uk_nino")])
def test_a_word_48_characters_before_counts_and_one_further_does_not(name: str) -> None:
    word = entities.CATALOGUE[name].context.split("|")[0]
    _text, expected = parse(FOUND[name][-1])
    number = expected[-1]
    near = f"{word}{' ' * (48 - len(word))}{number}"
    far = f"{word}{' ' * (49 - len(word))}{number}"
    assert spans(name, near) == [number]
    assert spans(name, far) == spans(name, number)
    assert spans(name, f"{number} {word}") == spans(name, number)


@pytest.mark.parametrize("text", ["assn 123456789", "ssnx 123456789", "ssn[EMAIL] 123456789", "x" * 60 + " 123456789"])
def test_context_is_a_whole_word_on_this_side_of_any_mask(text: str) -> None:
    assert spans("ssn", text) == []


@pytest.mark.parametrize(
    "digits",
    ["１２３-４５-６７８９", "١٢٣-٤٥-٦٧٨٩", "१२३-४५-६७८९", "123\u201145\u20116789", "1\u200b2\u200b\u200b3-45-6789"],
)
def test_digits_of_other_scripts_and_zero_width_characters_map_back(digits: str) -> None:
    assert spans("ssn", f"é😀 {digits} é") == [digits]


def test_three_zero_width_characters_end_a_number() -> None:
    assert spans("ssn", "123-45-67\u200b\u200b\u200b89") == []


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("EMAIL_ADDRESS", "email"),
        ("US_SSN", "ssn"),
        ("PHONE_NUMBER", "phone"),
        ("CREDIT_CARD", "credit_card"),
        ("IBAN_CODE", "iban"),
        ("CREDIT_DEBIT_NUMBER", "credit_card"),
        ("FRANCE_NIR", "fr_nir"),
        ("In-Aadhaar", "in_aadhaar"),
        ("PERSON", None),
    ],
)
def test_aliases_of_well_known_vocabularies(alias: str, name: str | None) -> None:
    assert entities.canonical(alias) == name


def test_every_alias_names_an_entity() -> None:
    assert set(entities.ALIASES.values()) <= set(entities.NAMES)
    assert not set(entities.ALIASES) & set(entities.NAMES)


def test_entity_actions_accept_aliases() -> None:
    compiled = policy(rule(entities=["US_SSN", "email"], entity_actions={"EMAIL_ADDRESS": "block"}), stage=Stage.OUTPUT)
    assert compiled.guardrail.rules[0].entity_actions == {"email": Action.BLOCK}
