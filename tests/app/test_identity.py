from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Connection, text
from streamlit.testing.v1 import AppTest

from app import identity
from app.errors import Misconfigured
from app.identity import LocalSignIn
from app.settings import Settings
from tests.personas import PERSONAS


@pytest.fixture(autouse=True)
def _shut_again() -> Iterator[None]:
    before = identity._local
    yield
    identity._local = before


def script() -> None:
    """A page that says who is looking."""
    import streamlit as st

    from app import identity
    from app.errors import Refused

    try:
        st.text(identity.viewer().full_name)
        identity.require("admin", "manager")
        st.text("let in")
    except Refused as refusal:
        st.text(str(refusal))


def shown() -> list[str]:
    return [element.value for element in AppTest.from_function(script).run().text]


def test_without_sign_in_nobody_is_looking() -> None:
    identity._local = None
    assert shown() == ["You are not signed in, or no longer. Open the first page to sign in."]


def test_without_a_cookie_nobody_is_looking(owner: Connection) -> None:
    identity._local = LocalSignIn("token", port=8501)
    assert shown() == ["You are not signed in, or no longer. Open the first page to sign in."]


def test_run_as_signs_in_that_person_whatever_the_case_of_the_address(owner: Connection, database: Settings) -> None:
    identity.configure(replace(database, sign_in_as="Max@Example.com"), port=8501)
    assert shown() == ["Max", "let in"]
    identity.configure(replace(database, sign_in_as="rita@example.com"), port=8501)
    assert shown() == ["Rita", "This page is not for your role."]
    owner.execute(text("update crm_user_roles set role = 'admin' where user_id = :id"), {"id": PERSONAS["rita"].id})
    assert shown() == ["Rita", "let in"]
    owner.execute(text("update crm_profiles set is_active = false where user_id = :id"), {"id": PERSONAS["rita"].id})
    assert shown() == ["You are not signed in, or no longer. Open the first page to sign in."]


@pytest.mark.parametrize("name", ["dora", "nora"])
def test_nobody_runs_as_a_leaver_or_somebody_without_a_role(owner: Connection, database: Settings, name: str) -> None:
    with pytest.raises(Misconfigured, match=f"Nobody with the address {name}@example.com works here and has a role"):
        identity.configure(replace(database, sign_in_as=f"{name}@example.com"), port=8501)


def test_people_are_those_who_may_sign_in(owner: Connection) -> None:
    assert [(person.role, person.full_name) for person in identity.people()] == [
        ("admin", "Ada"),
        ("executive", "Eve"),
        ("manager", "Max"),
        ("manager", "Mona"),
        ("rep", "Olaf"),
        ("rep", "Ravi"),
        ("rep", "Rita"),
    ]


def test_a_signature_counts_for_one_start_and_one_purpose() -> None:
    ours = LocalSignIn("token", port=8501)
    signed = ours.sign("person", "somebody")
    assert ours.unsign("person", signed) == "somebody"
    assert ours.unsign("gate", signed) is None
    assert LocalSignIn("another", port=8501).unsign("person", signed) is None
    for forged in ("", "somebody", "somebody.", signed + "x", signed.replace("somebody", "me")):
        assert ours.unsign("person", forged) is None
