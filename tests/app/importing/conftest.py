"""A small company's export, to be spoilt one way at a time."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection

from app import database, importing
from app.importing import mapping_file, reading
from app.importing.report import Report
from app.importing.values import Style

MAPPING = """
vendor = "tiny"
currency = "EUR"

[[stages]]
key = "Talking"
name = "Talking"
probability = 30

[[stages]]
key = "Deciding"
name = "Deciding"
probability = 60

[[stages]]
key = "Won"
name = "Won"
outcome = "won"

[[stages]]
key = "Lost"
name = "Lost"
outcome = "lost"

[[organizers]]
file = "companies.csv"
key = "id"
company_name = "name"
website = "web"
country = "country"
owner = "owner"

[[contacts]]
file = "people.csv"
key = "email"
organizer = "company"
full_name = "name"
email = "email"

[[opportunities]]
file = "deals.csv"
key = "id"
organizer = "company"
name = "title"
value = "amount"
stage = "stage"
close_date = "closes"
created = "created"
owner = "owner"

[[history]]
file = "steps.csv"
opportunity = "deal"
at = "at"
stage = "stage"
value = "amount"
expected_close_date = "closes"

[[events]]
file = "fairs.csv"
key = ["company", "name"]
organizer = "company"
name = "name"
event_date = "date"
attendance = "guests"

[[activities]]
file = "calls.csv"
key = "id"
opportunity = "deal"
contact = "person"
type = { column = "kind", map = { Call = "call", "To do" = "task" } }
subject = "subject"
at = "at"
task_status = { column = "status", map = { open = "pending", done = "completed" } }
completed = "done"
owner = "owner"
metadata = { kind = "kind" }
"""

FILES = {
    "companies.csv": """
id,name,web,country,owner
c1,Acme Événements,https://acme.example,Canada,Zoë Ford
c2,Bolt,,France,Ben Hall
""",
    "people.csv": """
company,name,email
c1,Ann Acme,ann@acme.example
""",
    "deals.csv": """
id,company,title,amount,stage,closes,created,owner
d1,c1,Gala,1000.50,Deciding,2025-09-30,2025-01-10,Zoë Ford
d2,c1,Fair,200,Won,2025-03-15,2025-01-02,Zoë Ford
d3,c2,Show,300,Lost,2025-04-01,2025-02-01,Ben Hall
""",
    "steps.csv": """
deal, at, stage, amount, closes
d1,2025-02-01,Talking,800,2025-08-31
d1,2025-03-01,Deciding,1000.50,2025-09-30
""",
    "fairs.csv": """
company,name,date,guests
c1,Spring Gala,2025-04-12,350
""",
    "calls.csv": """
id,deal,person,kind,subject,at,status,done,owner
a1,d1,,Call,Asked for the date,2025-02-03,,,Zoë Ford
a2,d1,,To do,Send the offer,2025-02-10,done,2025-02-08,Cleo Marsh
a3,,ann@acme.example,To do,Ring Ann,2025-05-20,open,,Zoë Ford
""",
}

NOW = datetime(2025, 6, 1, 15, tzinfo=UTC)
STYLE = Style(("%Y-%m-%d",), "1234.00", None, ZoneInfo("America/Toronto"), NOW)


class Company:
    """The export's directory: files to change, and what comes of it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.mapping = directory / "tiny.toml"
        self.mapping.write_text(MAPPING, "utf-8")
        for name, text in FILES.items():
            (directory / name).write_text(text.lstrip(), "utf-8")

    def change(self, name: str, old: str, new: str) -> None:
        path = self.directory / name
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new), "utf-8")

    def read(self) -> reading.Export:
        return reading.read(mapping_file.load(str(self.mapping)), self.directory, STYLE, lambda _text, _share: None)

    def rejected(self) -> list[str]:
        return [str(rejected) for rejected in self.read().rejected]

    def load(self, **options: bool) -> Report:
        with database.owning() as connection:
            return importing.run(connection, format=str(self.mapping), directory=self.directory, **options)


@pytest.fixture
def company(tmp_path: Path) -> Company:
    return Company(tmp_path)


@pytest.fixture
def contents(owner: Connection) -> Callable[[], dict[str, list[tuple[object, ...]]]]:
    """contents() is every row of every table: what an import that does nothing leaves alone."""

    def contents() -> dict[str, list[tuple[object, ...]]]:
        names = owner.exec_driver_sql(
            "select oid::regclass::text from pg_class where relkind = 'r'"
            " and (relnamespace = 'public'::regnamespace or oid = 'auth.users'::regclass)"
        ).scalars()
        return {
            name: sorted(map(tuple, owner.exec_driver_sql(f"select t::text from {name} as t").all())) for name in names
        }

    return contents
