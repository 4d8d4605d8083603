from pathlib import Path

import pytest

from app.errors import Refused
from app.importing import mapping_file
from tests.app.importing.conftest import MAPPING


def load(tmp_path: Path, text: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text, "utf-8")
    mapping_file.load(str(path))


def test_every_built_in_mapping_and_those_of_the_tests_can_be_read() -> None:
    others = Path(__file__).parents[2] / "mappings"
    for path in [*mapping_file.BUILT_IN.glob("*.toml"), *others.glob("*.toml")]:
        assert mapping_file.load(str(path)).vendor == path.stem
    assert mapping_file.load("salesforce").currency == "USD"


@pytest.mark.parametrize("name", ["siebel", "../mappings/salesforce2", "missing.toml", "a\nb"])
def test_a_mapping_that_is_not_there_is_refused_with_those_that_are(name: str) -> None:
    with pytest.raises(Refused, match=r"There is no mapping “.*”. Built in: salesforce; or give the path"):
        mapping_file.load(name)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('vendor = "tiny"', "", "own.toml needs a vendor, one word"),
        ('vendor = "tiny"', 'vendor = "two words"', "own.toml needs a vendor, one word"),
        ('currency = "EUR"', "currency = 5", "own.toml currency has to be text in quotation marks"),
        ('currency = "EUR"', 'curency = "EUR"', "own.toml: “curency” means nothing here; did you mean currency"),
        ('currency = "EUR"', 'dates = "%H:%M"', "“%H:%M” doesn't say day, month and year"),
        ('currency = "EUR"', 'numbers = "1,0"', "is no sample: write 1234"),
        ('currency = "EUR"', 'time_zone = "Mars/Phobos"', "there is no time zone “Mars/Phobos”"),
        ('currency = "EUR"', 'delimiter = ";;"', "the delimiter is one character"),
        ('currency = "EUR"', 'encoding = "klingon"', "there is no encoding “klingon”"),
        ("[[organizers]]", "[organizers]", r"write a section of organizers as \[\[organizers\]\]"),
        (
            'company_name = "name"',
            'compny_name = "name"',
            "“compny_name” means nothing here; did you mean company_name",
        ),
        ('company_name = "name"', "", "organizers 1 has to say where company_name comes from"),
        ('key = "id"\ncompany', "company", "organizers 1 has to say where key comes from"),
        ('file = "companies.csv"', 'file = "../secret.csv"', "the file “../secret.csv” has to lie in the export"),
        ('file = "companies.csv"', 'file = "/etc/passwd"', "has to lie in the export's directory"),
        (
            'website = "web"',
            'website = { column = "web", as = "magic" }',
            "no transformation “magic”; there are company_size",
        ),
        ('website = "web"', "website = { as = 'website' }", "organizers 1 website needs either a column or a text"),
        ('website = "web"', "website = { column = 'a', text = 'b' }", "needs either a column or a text"),
        ('website = "web"', "website = { column = 'a', lookup = 'b' }", "write lookup as a table"),
        (
            'website = "web"',
            "website = { column = 'a', lookup = { file = 'b' } }",
            "a lookup needs a file, a key and a column",
        ),
        ('website = "web"', "website = [", "own.toml is not a mapping file"),
        ("metadata =", "metdata =", "“metdata” means nothing here; did you mean metadata"),
    ],
)
def test_what_a_mapping_says_wrongly_is_refused_with_its_place(
    tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    assert old in MAPPING
    with pytest.raises(Refused, match=sentence):
        load(tmp_path, MAPPING.replace(old, new, 1))
