"""The outbox against a real SMTP server on this machine."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import Connection

from app.errors import Misconfigured, Unavailable
from app.jobs import delivery
from app.jobs.delivery import MailServer
from app.settings import Settings
from tests.tables import id_of


class Inbox:
    """Takes what it is given, unless `answers` says otherwise for a recipient."""

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []
        self.answers: dict[str, str] = {}

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if (answer := self.answers.get(address, "250 OK")).startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        if self.answers.get("data") == "break":
            server.transport.abort()
        letter = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(letter, EmailMessage)
        self.letters.append(letter)
        return "250 OK"


class FreePort(Controller):
    """Serves at a port that nobody has."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@pytest.fixture
def serving() -> Iterator[Controller]:
    controller = FreePort(Inbox(), hostname="127.0.0.1", port=0)
    controller.start()
    yield controller
    controller.stop()


@pytest.fixture
def inbox(serving: Controller) -> Inbox:
    assert isinstance(serving.handler, Inbox)
    return serving.handler


@pytest.fixture
def mail(serving: Controller) -> MailServer:
    return MailServer.at(f"smtp://127.0.0.1:{serving.port}", "Lumenworks <crm@example.com>")


@pytest.fixture
def company(owner: Connection, given: Any) -> Connection:
    given(owner, "crm_organizers", "id | company_name | assigned_to\nacme | Acme | rita")
    given(owner, "crm_contacts", "id | organizer_id | full_name | email\nzoe | acme | Zoë O'Neil | zoe@acme.example")
    return owner


def waiting(owner: Connection, *subjects: str, recipient: str = "zoe@acme.example") -> None:
    for subject in subjects:
        owner.exec_driver_sql(
            "insert into crm_outbox (organizer_id, contact_id, stage_id, template_name, recipient, subject, body_text,"
            " body_html) values (%s, %s, gen_random_uuid(), 'Offer', %s, %s, 'Bonjour', '<p>Bonjour</p>')",
            (id_of("acme"), id_of("zoe"), recipient, subject),
        )


def states(owner: Connection) -> list[tuple[str, int, str | None]]:
    return [
        tuple(row) for row in owner.exec_driver_sql("select status, attempts, problem from crm_outbox order by subject")
    ]


def test_what_waits_is_sent_once_as_text_and_html(company: Connection, inbox: Inbox, mail: MailServer) -> None:
    waiting(company, "Your offer,\r\nBcc: everybody@example.com", "Second")
    assert delivery.run(mail)["sent"] == 2
    assert delivery.run(mail) == {"sent": 0, "waiting": 0, "failed": 0, "unknown": 0}
    first, _second = sorted(inbox.letters, key=lambda letter: len(str(letter["Subject"])), reverse=True)
    assert first["Subject"] == "Your offer, Bcc: everybody@example.com"
    assert first["Bcc"] is None
    assert (first["To"], first["From"]) == ("Zoë O'Neil <zoe@acme.example>", "Lumenworks <crm@example.com>")
    assert {part.get_content_type(): part.get_content().strip() for part in first.iter_parts()} == {
        "text/plain": "Bonjour",
        "text/html": "<p>Bonjour</p>",
    }
    assert states(company) == [("sent", 1, None)] * 2


def test_a_refusal_for_now_is_tried_again_later_and_one_for_good_is_not(
    company: Connection, inbox: Inbox, mail: MailServer
) -> None:
    waiting(company, "A", recipient="full@acme.example")
    waiting(company, "B", recipient="gone@acme.example")
    inbox.answers = {"full@acme.example": "452 Mailbox full", "gone@acme.example": "550 No such user"}
    assert delivery.run(mail) == {"sent": 0, "waiting": 1, "failed": 1, "unknown": 0}
    assert states(company) == [
        ("waiting", 1, "The mail server said: 452 Mailbox full"),
        ("failed", 1, "The mail server refused it: 550 No such user"),
    ]
    assert delivery.run(mail)["sent"] == 0  # not yet
    inbox.answers = {}
    company.exec_driver_sql("update crm_outbox set next_attempt_at = now() where status = 'waiting'")
    assert delivery.run(mail)["sent"] == 1


def test_it_gives_up_in_the_end(company: Connection, inbox: Inbox, mail: MailServer) -> None:
    waiting(company, "A")
    inbox.answers = {"zoe@acme.example": "421 Later"}
    company.exec_driver_sql("update crm_outbox set attempts = %s", (delivery.MOST_ATTEMPTS - 1,))
    assert delivery.run(mail)["failed"] == 1


def test_nobody_knows_of_what_broke_while_it_was_handed_over(
    company: Connection, inbox: Inbox, mail: MailServer
) -> None:
    waiting(company, "A")
    inbox.answers = {"data": "break"}
    assert delivery.run(mail)["unknown"] == 1
    inbox.answers = {}
    assert delivery.run(mail)["sent"] == 0  # unless an admin says so


def test_a_delivery_that_was_killed_sends_nothing_twice(company: Connection, inbox: Inbox, mail: MailServer) -> None:
    waiting(company, "A", "B")
    killed = (
        "import os, signal\nfrom app import database\nfrom app.jobs import delivery\n"
        "from app.settings import Settings\n"
        "database.use(Settings(migration_database_url=os.environ['OWNER']))\n"
        "delivery._note = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"delivery.run(delivery.MailServer.at('smtp://{mail.host}:{mail.port}', 'crm@example.com'))\n"
    )
    url = company.engine.url.render_as_string(hide_password=False)
    process = subprocess.run([sys.executable, "-c", killed], env={"OWNER": url}, check=False)
    assert process.returncode == -signal.SIGKILL
    assert len(inbox.letters) == 1
    assert delivery.run(mail) == {"sent": 1, "waiting": 0, "failed": 0, "unknown": 1}
    assert len(inbox.letters) == 2
    assert len({letter["Message-ID"] for letter in inbox.letters}) == 2


def test_without_a_server_nothing_is_lost(company: Connection) -> None:
    waiting(company, "A")
    with pytest.raises(Unavailable, match="Nothing was sent or lost"):
        delivery.run(MailServer.at("smtp://127.0.0.1:1", "crm@example.com"))
    assert states(company) == [("waiting", 0, None)]


@pytest.mark.parametrize("address", [None, "mail.example.com", "http://mail.example.com", "smtp://"])
def test_an_address_that_is_none_says_what_to_set(address: str | None) -> None:
    with pytest.raises(Misconfigured, match="EVENTOS_SMTP is not set"):
        MailServer.at(address, "crm@example.com")
    with pytest.raises(Misconfigured, match="EVENTOS_SMTP_FROM"):
        MailServer.at("smtp://localhost", None)


def test_the_password_stays_out_of_what_is_printed() -> None:
    assert "secret" not in repr(Settings(smtp="smtp://me:secret@mail.example.com"))
    assert "secret" not in repr(MailServer.at("smtp://me:secret@mail.example.com", "crm@example.com"))
