"""Delivers the emails that wait in the outbox over SMTP, each at most once.

An email is marked as being sent, in a transaction of its own, before it is handed over, and as sent after the server
took it. What breaks between the two is said to be unknown and is sent again by nobody but an admin who decides so.
"""

import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formataddr, parseaddr
from typing import Any, Final, Literal
from urllib.parse import unquote, urlsplit

import sqlalchemy as sa
from sqlalchemy import func

from app import database
from app.errors import Misconfigured, Unavailable
from app.settings import is_loopback
from queries.vocabulary import contacts, outbox

Progress = Callable[[str, float], object]

MOST_ATTEMPTS: Final = 6
"""With the pauses between them, the server has been asked for five hours: then somebody should look."""

FIRST_PAUSE: Final = 10
"""Minutes before the second attempt; each later pause is twice as long."""

_ONE_AT_A_TIME: Final = 0x45564D4C  # the advisory lock of whoever delivers
_TIMEOUT: Final = 30  # seconds for a mail server to answer
_SAID: Final = 300  # characters kept of what a mail server says


@dataclass(frozen=True)
class MailServer:
    """Where emails are handed over, and whom they come from."""

    host: str
    port: int
    is_tls: bool  # from the first byte; otherwise STARTTLS, which only this machine's own server may lack
    user: str | None
    password: str | None = field(repr=False)
    sender: str

    @classmethod
    def at(cls, address: str | None, sender: str | None) -> "MailServer":
        """The server at smtp://user:password@host:587 or smtps://…; raises Misconfigured with what to set."""
        url = urlsplit(address or "")
        if url.scheme not in ("smtp", "smtps") or not url.hostname:
            raise Misconfigured(
                "EVENTOS_SMTP is not set to an address of the form smtp://user:password@mail.example.com:587."
            )
        if "@" not in parseaddr(sender or "")[1]:
            raise Misconfigured("EVENTOS_SMTP_FROM is not set to whom the emails come from, as in crm@example.com.")
        is_tls = url.scheme == "smtps"
        user, password = (unquote(part) if part else None for part in (url.username, url.password))
        return cls(url.hostname, url.port or (465 if is_tls else 587), is_tls, user, password, str(sender))

    @contextmanager
    def open(self) -> Iterator[smtplib.SMTP]:
        """Yields a session; raises Unavailable where there is none to be had."""
        context = ssl.create_default_context()
        try:
            session = (
                smtplib.SMTP_SSL(self.host, self.port, timeout=_TIMEOUT, context=context)
                if self.is_tls
                else smtplib.SMTP(self.host, self.port, timeout=_TIMEOUT)
            )
            session.ehlo()
            if not self.is_tls and (session.has_extn("starttls") or not is_loopback(self.host)):
                session.starttls(context=context)
                session.ehlo()
            if self.user:
                session.login(self.user, self.password or "")
        except (smtplib.SMTPException, OSError) as error:
            raise Unavailable(f"The mail server can't be reached: {_said(error)}. Nothing was sent or lost.") from error
        with session:
            yield session


@dataclass(frozen=True)
class Outcome:
    """What became of an email that was handed over; `pause` is in minutes."""

    status: Literal["sent", "waiting", "failed", "unknown"]
    problem: str | None = None
    pause: int = 0


def run(server: MailServer, progress: Progress = lambda _text, _share: None) -> dict[str, int]:
    """Hands over every email that is due; returns how many were sent, still wait, failed, and are unknown.

    Raises Unavailable where another delivery is at work, or the mail server can't be reached.
    """
    counts = dict.fromkeys(("sent", "waiting", "failed", "unknown"), 0)
    with database.owning() as alone:
        if not alone.scalar(sa.select(func.pg_try_advisory_xact_lock(_ONE_AT_A_TIME))):
            raise Unavailable("Another delivery is at work. Nothing is lost: it sends what waits.")
        counts["unknown"] += _note_interrupted()
        if not (due := _due()):
            return counts
        with server.open() as session:
            for number in range(due):
                progress("Sending", number / due)
                if (letter := _claimed()) is None:
                    break
                outcome = _handed_over(session, server.sender, letter)
                _note(letter.id, outcome)
                counts[outcome.status] += 1
    return counts


def message(sender: str, letter: Any) -> EmailMessage:
    """The email as it is sent: text and HTML, with an id that stays the same however often it is tried."""
    made = EmailMessage()
    made["From"], made["To"] = sender, formataddr((letter.contact_name or "", letter.recipient))
    made["Subject"] = " ".join(letter.subject.split())  # a header is one line
    made["Date"] = letter.queued_at
    made["Message-ID"] = f"<{letter.id}@{parseaddr(sender)[1].rpartition('@')[2]}>"
    made["Auto-Submitted"] = "auto-generated"
    if letter.body_text:
        made.set_content(letter.body_text)
        made.add_alternative(letter.body_html, subtype="html")
    else:
        made.set_content(letter.body_html, subtype="html")
    return made


def _handed_over(session: smtplib.SMTP, sender: str, letter: Any) -> Outcome:
    """Step by step, because only while the text itself is under way nobody can tell whether the server has it."""
    is_under_way = False
    try:
        content = message(sender, letter).as_bytes(policy=SMTP)
        session.rset()
        for code, said in (session.mail(parseaddr(sender)[1]), session.rcpt(letter.recipient)):
            if code not in (250, 251):
                return _refused(letter, code, said)
        is_under_way = True
        code, said = session.data(content)
    except smtplib.SMTPDataError as error:  # before the text
        return _refused(letter, error.smtp_code, error.smtp_error)
    except (smtplib.SMTPException, OSError) as error:
        if is_under_way:
            return Outcome("unknown", f"The connection broke while it was handed over: {_said(error)}.")
        return _again(letter, _said(error))
    except ValueError as error:  # what can't be an email
        return Outcome("failed", f"It can't be written as an email: {_said(error)}.")
    return Outcome("sent") if code == 250 else _refused(letter, code, said)


def _refused(letter: Any, code: int, said: bytes | str) -> Outcome:
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    answer = f"{code} {' '.join(text.split())}"[:_SAID]
    if 400 <= code < 500:  # for now
        return _again(letter, answer)
    return Outcome("failed", f"The mail server refused it: {answer}")


def _again(letter: Any, why: str) -> Outcome:
    if letter.attempts >= MOST_ATTEMPTS:
        return Outcome("failed", f"Tried {letter.attempts} times; the mail server said: {why}")
    return Outcome("waiting", f"The mail server said: {why}", FIRST_PAUSE * 2 ** (letter.attempts - 1))


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:_SAID] or type(error).__name__


# The outbox, each step a transaction of its own ------------------------------------------------------------------

_IS_DUE = sa.and_(outbox.c.status == "waiting", outbox.c.next_attempt_at <= func.clock_timestamp())


def _note_interrupted() -> int:
    said = "The delivery was interrupted while it was handed over: it may have arrived, or not."
    left = sa.update(outbox).where(outbox.c.status == "sending").values(status="unknown", problem=said)
    with database.owning() as db:
        return db.execute(left).rowcount


def _due() -> int:
    with database.owning() as db:
        return int(db.scalar(sa.select(func.count()).where(_IS_DUE)) or 0)


def _claimed() -> Any:
    """The email that waits longest, marked as being sent; None where none is due."""
    next_one = sa.select(outbox.c.id).where(_IS_DUE).order_by(outbox.c.next_attempt_at, outbox.c.id).limit(1)
    name = sa.select(contacts.c.full_name).where(contacts.c.id == outbox.c.contact_id).scalar_subquery()
    claim = (
        sa.update(outbox)
        .where(outbox.c.id == next_one.with_for_update(skip_locked=True).scalar_subquery())
        .values(status="sending", attempts=outbox.c.attempts + 1)
        .returning(*outbox.c, name.label("contact_name"))
    )
    with database.owning() as db:
        return db.execute(claim).one_or_none()


def _note(letter_id: object, outcome: Outcome) -> None:
    is_sent = outcome.status == "sent"
    noted = {
        "status": outcome.status,
        "problem": outcome.problem,
        "sent_at": func.clock_timestamp() if is_sent else None,
        "next_attempt_at": func.clock_timestamp() + sa.func.make_interval(0, 0, 0, 0, 0, outcome.pause),
    }
    with database.owning() as db:
        db.execute(sa.update(outbox).where(outbox.c.id == letter_id, outbox.c.status == "sending").values(noted))
