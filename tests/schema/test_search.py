"""Search finds what is written, however it is typed, shows what the policies show, and asks the indexes."""

# ruff: noqa: E501 (tables are read across)

import pytest

from tests.schema.session import Session, Statements
from tests.tables import id_of


@pytest.fixture
def found(db: Session) -> Session:
    """Things of Rita's and things of Olaf's, in the same words."""
    for owner in ("rita", "olaf"):
        db.insert(
            "crm_organizers", id=f"{owner}'s", company_name=f"Événements Müller-Lüdenscheidt {owner}", assigned_to=owner
        )
        db.insert(
            "crm_contacts",
            organizer_id=f"{owner}'s",
            full_name="Zoë O'Brien",
            email=f"zoe@{owner}.example",
            title="Müller's boss",
        )
        db.insert("crm_opportunities", organizer_id=f"{owner}'s", name="Müller gala", description="100% café", stage_id="Lead",
                  value=1, assigned_to=owner)  # fmt: skip
        db.insert("crm_activities", organizer_id=f"{owner}'s", type="call", subject="Called Müller", user_id=owner)
        db.insert("crm_notes", organizer_id=f"{owner}'s", content="Müller likes jazz", created_by=owner)
    return db


def _search(db: Statements, words: str) -> list[str]:
    return sorted(row.table_name for row in db.rows("select table_name from app.search(%s)", words))


EVERYWHERE = ["crm_activities", "crm_contacts", "crm_notes", "crm_opportunities", "crm_organizers"]


@pytest.mark.parametrize(("words", "tables"), [
    ("muller", EVERYWHERE), ("MÜLLER", EVERYWHERE), ("müll", EVERYWHERE), ("  müller  ", EVERYWHERE),
    ("muller ev", ["crm_organizers"]), ("ev muller", ["crm_organizers"]), ("ludenscheidt", ["crm_organizers"]),
    ("müller-lüdenscheidt", ["crm_organizers"]), ("gala muller", ["crm_opportunities"]), ("cafe", ["crm_opportunities"]),
    ("zoe@rita.example", ["crm_contacts"]), ("o'brien", ["crm_contacts"]), ("boss", ["crm_contacts"]), ("jazz", ["crm_notes"]),
    ("muller nothing", []), ("", []), (" ", []), ("%", []), ("_", []), ("*", []), ("\\", []), ("'", []), ("!muller", EVERYWHERE),
    ("muller | nothing", []), ("muller & gala", ["crm_opportunities"]), (":*", []), ("(", []), ("x' or '1'='1", []), ("a:b<->c", []),
    ("'; drop table crm_notes; --", []), ("100%", ["crm_opportunities"]), ("é" * 5000, []),
])  # fmt: skip
def test_finds_all_words_and_takes_none_for_an_operator(found: Session, words: str, tables: list[str]) -> None:
    with found.acting("rita"):
        assert _search(found, words) == tables


@pytest.mark.parametrize(("name", "owners"), [
    ("rita", 1), ("olaf", 1), ("ravi", 0), ("max", 1), ("mona", 1), ("eve", 2), ("ada", 2), ("dora", 0), ("nora", 0),
])  # fmt: skip
def test_shows_what_the_policies_show(found: Session, name: str, owners: int) -> None:
    with found.acting(name):
        assert _search(found, "muller") == sorted(EVERYWHERE * owners)


def test_shows_a_deal_to_its_owner_and_to_its_organizer_s(found: Session) -> None:
    found.insert(
        "crm_opportunities",
        id="split",
        organizer_id="olaf's",
        name="Split",
        stage_id="Lead",
        value=1,
        assigned_to="rita",
    )
    found.insert("crm_activities", id="split call", organizer_id="olaf's", type="call", subject="Split", user_id="rita")
    for name, count in [("rita", 2), ("olaf", 2), ("ravi", 0)]:
        with found.acting(name):
            assert len(_search(found, "split")) == count, name


def test_gives_at_most_so_many_of_each_table(found: Session) -> None:
    with found.acting("eve"):
        assert [
            row.table_name for row in found.rows("select table_name from app.search('muller', 1) order by 1")
        ] == EVERYWHERE


def test_asks_the_indexes(found: Session) -> None:
    """As the viewer, under the policies, @@ would read every row."""
    found.run(
        "insert into crm_organizers (company_name, assigned_to) select 'Company ' || number, assigned_to"
        " from generate_series(1, 3000) as number, crm_organizers where id = %s", id_of("rita's"),
    )  # fmt: skip
    found.run("analyze crm_organizers")
    with found.acting("rita"):
        assert len(found.rows("select * from app.search('2999')")) == 1
        before = _scans(found)
        assert len(found.rows("select * from app.search('2998')")) == 1
        assert _scans(found) == before
        found.rows(
            "select * from crm_organizers where to_tsvector('simple', app.fold(company_name)) @@ to_tsquery('simple', '2998')"
        )
        assert _scans(found) == before + 1


def _scans(db: Statements) -> int:
    """How often this transaction has read all of the organizers."""
    return db.one("select pg_stat_get_xact_numscans('crm_organizers'::regclass)")
