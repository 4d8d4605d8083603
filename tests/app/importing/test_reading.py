import csv
import io
from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import Refused
from tests.app.importing.conftest import FILES, STYLE, Company


def test_a_company_is_read(company: Company) -> None:
    export = company.read()
    assert not export.rejected
    assert [person.full_name for person in export.people] == ["Zoë Ford", "Ben Hall", "Cleo Marsh"]
    acme, bolt = export.organizers
    gala, fair, show = export.opportunities
    assert (gala.organizer, show.organizer) == (acme.id, bolt.id)
    assert gala.value == Decimal("1000.50")
    assert (gala.expected_close_date, gala.actual_close_date) == (date(2025, 9, 30), None)
    assert (fair.expected_close_date, fair.actual_close_date) == (None, date(2025, 3, 15))
    assert [known.value for known in export.history[gala.id]] == [Decimal(800), Decimal("1000.50")]
    asked, offer, ring = export.activities
    assert (asked.organizer, asked.metadata) == (acme.id, {"kind": "Call"})
    assert (offer.type, offer.task_status, ring.organizer) == ("task", "completed", acme.id)
    assert export.today == STYLE.moment_of(date(2025, 4, 1)), "the latest that it tells of; a due task tells nothing"


def test_ids_depend_on_the_vendor_and_the_key_alone(company: Company) -> None:
    before = company.read()
    company.change("companies.csv", "Acme Événements", "Acme Events")
    after = company.read()
    assert [each.id for each in before.organizers] == [each.id for each in after.organizers]
    company.change("tiny.toml", 'vendor = "tiny"', 'vendor = "other"')
    assert not {each.id for each in before.organizers} & {each.id for each in company.read().organizers}


@pytest.mark.parametrize(
    ("name", "old", "new", "rejected"),
    [
        ("deals.csv", "200,Won", "two hundred,Won",
         "deals.csv line 3: amount is “two hundred”, which is not a number written like 1234.00."),
        ("deals.csv", "200,Won,2025-03-15", "NaN,Won,2025-02-30",
         "deals.csv line 3: amount is “NaN”, which is not a number written like 1234.00. "
         "closes is “2025-02-30”, which is not a date from 1901 to 2200 written like 2025-12-31."),
        ("deals.csv", "d2,c1,Fair", "d2,c1,", "deals.csv line 3: title is empty."),
        ("deals.csv", "d2,c1", ",c1", "deals.csv line 3: id is empty."),
        ("deals.csv", "d2,c1", "d1,c1", "deals.csv line 3: id repeats deals.csv line 2."),
        ("deals.csv", "d2,c1", "d2,c9",
         "deals.csv line 3: company names the organizer “c9”, which the export doesn't have."),
        ("deals.csv", "200,Won", "200,Sold",
         "deals.csv line 3: stage names the stage “Sold”, which the export doesn't have."),
        ("deals.csv", "200,Won,2025-03-15", "200,Won,",
         "deals.csv line 3: It is in the stage Won and has no closing date."),
        ("deals.csv", "200,Won,2025-03-15", "200,Won,2025-06-02",
         "deals.csv line 3: It is in the stage Won, but its closing date 2025-06-02 is in the future."),
        ("deals.csv", "d2,c1,Fair,200", "d2,c1,Fair", "deals.csv line 3: The row has 7 cells, the header 8."),
        ("companies.csv", "https://acme.example", "javascript:alert(1)",
         "companies.csv line 2: web is “javascript:alert(1)”, "
         "which is not a web address that starts with http:// or https://."),
        ("people.csv", "ann@acme.example", "Ann", "people.csv line 2: email is “Ann”, which is not an email address."),
        ("people.csv", "c1,Ann Acme,ann@acme.example", "c1,Ann Acme,ann@acme.example\nc1,Ann,ANN@acme.example",
         "people.csv line 3: Its organizer has another contact with the email “ANN@acme.example”."),
        ("steps.csv", "2025-03-01", "2025-06-02", "steps.csv line 3: at is “2025-06-02”, which is in the future."),
        ("calls.csv", "a1,d1,,Call", "a1,d1,,Fax",
         "calls.csv line 2: kind is “Fax”, which the mapping doesn't translate."),
        ("calls.csv", "a1,d1,,Call", "a1,,,Call",
         "calls.csv line 2: It belongs to no organizer, contact or opportunity."),
        ("calls.csv", "a1,d1,,Call", "a1,d3,ann@acme.example,Call",
         "calls.csv line 2: Its organizer, contact and opportunity don't belong together."),
        ("calls.csv", "2025-02-03,,", "2025-02-03,open,",
         "calls.csv line 2: A task needs a task_status, and nothing else has one."),
        ("calls.csv", "Asked for the date", "x" * 301,
         "calls.csv line 2: subject is 301 characters long; at most 300 fit."),
    ],
)  # fmt: skip
def test_a_row_that_cant_be_is_rejected_with_its_place_and_reason(
    company: Company, name: str, old: str, new: str, rejected: str
) -> None:
    company.change(name, old, new)
    assert rejected in company.rejected()


def test_what_hangs_on_a_rejected_row_says_so(company: Company) -> None:
    company.change("companies.csv", "c2,Bolt,", "c2,Bolt,no address")
    assert company.rejected() == [
        "companies.csv line 3: web is “no address”, which is not a web address that starts with http:// or https://.",
        "deals.csv line 4: company names the organizer “c2”, which was rejected (companies.csv line 3).",
    ]


def test_a_file_or_column_that_the_mapping_needs_has_to_be_there(company: Company) -> None:
    company.change("companies.csv", "id,name,web", "id,name,site")
    with pytest.raises(Refused, match=r"companies\.csv has no column “web”, or has it twice; there are id, name, site"):
        company.read()
    company.change("tiny.toml", 'website = "web"', 'website = { column = "web", optional = true }')
    assert not company.rejected()
    (company.directory / "steps.csv").unlink()
    with pytest.raises(Refused, match=r"There is no steps\.csv in "):
        company.read()
    company.change("tiny.toml", 'file = "steps.csv"', 'file = "steps.csv"\noptional = true')
    assert not company.rejected()


def test_only_the_rows_that_a_section_wants_are_read(company: Company) -> None:
    company.change(
        "tiny.toml", 'file = "deals.csv"', 'file = "deals.csv"\nwhere = { title = ["G*", "Fair"], owner = "?*" }'
    )
    assert [deal.name for deal in company.read().opportunities] == ["Gala", "Fair"]


def test_a_column_of_repeated_names_can_be_a_file_of_records(company: Company) -> None:
    repeated = '[[organizers]]\nfile = "deals.csv"\nrepeats = true\nkey = "owner"\ncompany_name = "owner"\n'
    company.change("tiny.toml", "[[contacts]]", f"{repeated}\n[[contacts]]")
    export = company.read()
    assert not export.rejected
    assert [organizer.company_name for organizer in export.organizers[2:]] == ["Zoë Ford", "Ben Hall"]


def test_a_value_may_come_from_another_files_row(company: Company) -> None:
    lookup = '{ column = "company", lookup = { file = "companies.csv", key = "id", column = "country" } }'
    company.change("tiny.toml", 'name = "title"', f"name = {lookup}")
    assert [deal.name for deal in company.read().opportunities] == ["Canada", "Canada", "France"]
    company.change("tiny.toml", 'column = "country"', 'column = "planet"')
    with pytest.raises(Refused, match=r"companies\.csv has no column “planet”"):
        company.read()


def test_a_lookup_that_finds_nothing_rejects_the_row_unless_it_is_optional(company: Company) -> None:
    lookup = '{ column = "title", lookup = { file = "companies.csv", key = "id", column = "country" } }'
    company.change("tiny.toml", 'name = "title"', f'name = [{lookup}, "title"]')
    assert company.rejected()[0] == "deals.csv line 2: title is “Gala”, and companies.csv has no row with that id."
    company.change("tiny.toml", 'column = "country" }', 'column = "country", optional = true }')
    assert [deal.name for deal in company.read().opportunities] == ["Gala", "Fair", "Show"]


def test_texts_fixes_and_translations(company: Company) -> None:
    company.change(
        "tiny.toml", 'name = "title"', 'name = { text = "{title} ({amount} %)", fix = { "Fair (200 %)" = "Fête" } }'
    )
    company.change("tiny.toml", 'website = "web"', 'industry = { column = "web", map = { "" = "none", "*" = "some" } }')
    export = company.read()
    assert [deal.name for deal in export.opportunities] == ["Gala (1000.50 %)", "Fête", "Show (300 %)"]
    assert [organizer.industry for organizer in export.organizers] == ["some", "none"]


HOSTILE = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=20),
    st.sampled_from(
        [
            "", " ", "c1", "c2", "d1", "Won", "Talking", "2025-02-30", "9999-12-31", "infinity", "1,000.00", "NaN",
            "1e400", "-1", "٣", "99999999999999999", "0.001", "=HYPERLINK(1)", "'=1", "a\0b", "two\nlines", "x" * 400,
            "javascript:alert(1)", "Robert'); DROP TABLE crm_organizers;--", "{title}", "%s", "\u202e", "🎪" * 50,
        ]
    ),
)  # fmt: skip
ROWS = st.dictionaries(
    st.sampled_from(sorted(FILES)),
    st.lists(st.lists(HOSTILE, min_size=1, max_size=9), min_size=1, max_size=4),
    max_size=3,
)


def with_rows(directory: Path, rows: dict[str, list[list[str]]]) -> Company:
    """The company with these rows added to its files."""
    company = Company(directory)
    for name, added in rows.items():
        text = io.StringIO()
        csv.writer(text, quoting=csv.QUOTE_ALL).writerows(added)
        with (directory / name).open("a", encoding="utf-8", newline="") as file:
            file.write(text.getvalue())
    return company


@settings(deadline=None)
@given(ROWS)
def test_hostile_rows_are_read_or_rejected_one_by_one_and_the_good_ones_stay(rows: dict[str, list[list[str]]]) -> None:
    with TemporaryDirectory() as directory:
        export = with_rows(Path(directory), rows).read()
    assert {"Gala", "Fair", "Show"} <= {deal.name for deal in export.opportunities}
    added = {name: len(lines) for name, lines in rows.items()}
    for rejected in export.rejected:
        assert str(rejected).isprintable()
        assert rejected.reason.endswith(".")
        assert rejected.origin.line > len(FILES[rejected.origin.file].strip().splitlines())
    read = export.rows.total() + len({each.origin for each in export.rejected if each.reason.startswith("The row has")})
    assert read == 4 + 2 + 1 + 3 + 2 + 1 + 3 + sum(added.values())
