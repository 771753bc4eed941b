"""Files of rates: the table, the European Central Bank's forms, and what is wrong with others."""

import io
import zipfile
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from tearsheet.errors import FormatError, InputError
from tearsheet.sources.rate_files import parse_content, read_content
from tearsheet.trade.fill import Rejection
from tearsheet.trade.rate import Rate

HEADER = "date,from,to,rate,source\n"
HISTORY = "Date, USD, JPY, CYP, \n2026-03-03,1.1,160.1,N/A,\n2026-03-02,1.0850,159.9,N/A,\n"
XML = """<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
<Cube><Cube time="2026-03-03"><Cube currency="USD" rate="1.1"/><Cube currency="JPY" rate="160.1"/></Cube>
<Cube time="2026-03-02"><Cube currency="USD" rate="1.0850"/><Cube currency="JPY" rate="159.9"/></Cube></Cube>
</gesmes:Envelope>
"""
TWO_DAYS = [
    Rate(date(2026, 3, 3), "EUR", "USD", Decimal("1.1"), "ecb"),
    Rate(date(2026, 3, 3), "EUR", "JPY", Decimal("160.1"), "ecb"),
    Rate(date(2026, 3, 2), "EUR", "USD", Decimal("1.085"), "ecb"),
    Rate(date(2026, 3, 2), "EUR", "JPY", Decimal("159.9"), "ecb"),
]


def read(folder: Path, content: str | bytes, name: str = "rates.csv") -> list[tuple[int, Rate] | Rejection]:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return parse_content(read_content(path), path.name)


def rates(folder: Path, content: str | bytes, name: str = "rates.csv") -> list[Rate]:
    return [one[1] for one in read(folder, content, name) if not isinstance(one, Rejection)]


def zipped(*files: tuple[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files:
            archive.writestr(name, content)
    return out.getvalue()


def test_the_banks_history_as_csv_xml_and_zip_is_the_same(tmp_path: Path) -> None:
    assert rates(tmp_path, HISTORY) == TWO_DAYS
    assert rates(tmp_path, XML, "eurofxref-hist.xml") == TWO_DAYS
    assert rates(tmp_path, zipped(("eurofxref-hist.csv", HISTORY)), "eurofxref-hist.zip") == TWO_DAYS


def test_the_banks_file_of_one_day_writes_the_day_in_words(tmp_path: Path) -> None:
    (found,) = rates(tmp_path, "Date, USD, \n27 November 2026, 1.0456, \n")
    assert found == Rate(date(2026, 11, 27), "EUR", "USD", Decimal("1.0456"), "ecb")


def test_a_table_keeps_digits_and_source_and_takes_the_files_name_without_one(tmp_path: Path) -> None:
    one, other = rates(
        tmp_path, "\ufeffTo;From;Date;Rate\nUSD;EUR;2026-03-02;1.0850\nUSD;GBP;2026-03-02;1.26\n"
    )
    assert (str(one.rate), one.source, one.pair) == ("1.0850", "rates.csv", ("EUR", "USD"))
    assert other.pair == ("GBP", "USD")
    (stated,) = rates(tmp_path, f"{HEADER}2026-03-02,EUR,USD,1.085,my bank\n")
    assert stated.source == "my bank"


@pytest.mark.parametrize(
    ("row", "code", "words"),
    [
        ("2026-03-02,EUR,USD,-1.085,", "bad_number", "-1.085"),
        ("2026-03-02,EUR,USD,0,", "bad_number", "rate is 0"),
        ("2026-03-02,EUR,USD,NaN,", "bad_number", "NaN"),
        ("2026-03-02,EUR,USD,Infinity,", "bad_number", "Infinity"),
        ("2026-03-02,EUR,USD,1_085,", "bad_number", "1_085"),
        ('2026-03-02,EUR,USD,"1,085",', "bad_number", "1,085"),
        ("2026-03-02,EUR,USD,,", "missing_field", "rate is empty"),
        (",EUR,USD,1.085,", "missing_field", "date is empty"),
        ("2026-02-29,EUR,USD,1.085,", "bad_time", "2026-02-29"),
        ("02.03.2026,EUR,USD,1.085,", "bad_time", "02.03.2026"),
        ("2026-03-02,EURO/,USD,1.085,", "bad_value", "from is 'EURO/'"),
        ("2026-03-02,EUR,GBX,85,", "bad_value", "a hundredth of GBP"),
        ("2026-03-02,EUR,EUR,1,", "bad_value", "both EUR"),
        ("2026-03-02,EUR,USD,1.085,ecb,7", "bad_number", "more cells"),
        (f"2026-03-02,EUR,USD,1.085,{'x' * 101}", "bad_value", "source is too long"),
        ("2026-03-01,EUR,USD,1.09,", "contradiction", "line 2 states 1.08"),
        ("2026-03-01,USD,EUR,1.08,", "contradiction", "is the pair swapped?"),
    ],
)
def test_a_wrong_rate_names_line_value_and_what_is_allowed(
    tmp_path: Path, row: str, code: str, words: str
) -> None:
    made = read(tmp_path, f"{HEADER}2026-03-01,EUR,USD,1.08,ecb\n{row}\n")
    (bad,) = [one for one in made if isinstance(one, Rejection)]
    assert (bad.file, bad.line, bad.code) == ("rates.csv", 3, code)
    assert words in bad.reason
    assert bad.hint


def test_the_same_rate_twice_is_one_and_a_reciprocal_is_no_contradiction(tmp_path: Path) -> None:
    rows = "2026-03-02,EUR,USD,1.085,\n2026-03-02,EUR,USD,1.0850,\n2026-03-02,USD,EUR,0.9217,\n"
    assert len(rates(tmp_path, HEADER + rows)) == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "lacks date"),
        ("date,rate\n", "lacks from, to"),
        ("date,from,to,rate,venue\n", "has venue"),
        ("date,from,to,rate,rate\n", "a column twice"),
        ("Date,Open Price\n2026-03-02,1\n", "is not that of rates"),
        (b"\xff\xfe\x00", "not UTF-8"),
        ("<a>", "no XML"),
        ("<a/>", "XML without rates"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a/>', "document type"),
        (b"PK\x03\x04broken", "damaged archive"),
        (zipped(("a", HISTORY), ("b", HISTORY)), "holds 2 files"),
        ('date,from,to,rate\n"2026', "line"),
        (HEADER, "a header without rates"),
        ("Date, USD, \n2026-03-02, N/A, \n", "a header without rates"),
    ],
)
def test_what_is_no_file_of_rates_is_refused(tmp_path: Path, content: str | bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words) as refused:
        read(tmp_path, content)
    assert "rates.csv" in refused.value.message
    assert refused.value.hint


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.csv cannot be read"):
        read_content(tmp_path / "nothing.csv")
