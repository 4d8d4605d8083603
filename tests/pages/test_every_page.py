"""Every page of the site opens for every role: where there is nothing yet, and where there is one of each."""

from collections.abc import Callable

import pytest
from sqlalchemy import Connection
from streamlit.testing.v1 import AppTest

from app.site_map import GROUPS
from tests import one_of_each
from tests.pages.conftest import Open
from tests.pages.test_lists import errors
from tests.personas import PERSONAS
from tests.tables import id_of

PAGES = [page for pages in GROUPS.values() for page in pages]
RECORDS = {
    "opportunities": "opportunity", "organizer": "organizer", "contacts": "contact", "activities": "activity",
    "notes": "note", "documents": "document", "templates": "template",
}  # fmt: skip
FILLINGS: dict[str, Callable[[Connection], None]] = {"nothing": lambda _: None, "one of each": one_of_each.insert}


def title(app: AppTest) -> str:
    return str(app.title[0].value)


@pytest.mark.parametrize("who", ["rita", "max", "eve", "ada"])
@pytest.mark.parametrize("filling", FILLINGS)
def test_every_page_opens(opened: Open, owner: Connection, filling: str, who: str) -> None:
    FILLINGS[filling](owner)
    for page in PAGES:
        app = opened(who, page.name)
        assert errors(app) == [], page.name
        assert ("not for your role" in title(app)) is (PERSONAS[who].role not in page.roles), page.name
    for page_name, noun in RECORDS.items() if filling == "one of each" else ():
        app = opened(who, page_name, id=str(id_of(noun)))
        assert errors(app) == [], noun
        assert title(app).title() not in (noun.title(), "Email Template"), noun  # its name, not that it was not found
