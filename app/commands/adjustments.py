"""A number that somebody names for a team and a period, with the reason: kept beside the computed forecast."""

from datetime import date
from decimal import Decimal, InvalidOperation
from uuid import UUID

import sqlalchemy as sa

from app.database import writing
from app.errors import Conflict, Invalid, NotAllowed, NotFound
from app.viewer import Viewer
from queries.vocabulary import forecast_adjustments as adjustments

MOST = Decimal("9999999999999999.99")


def adjust(
    *,
    by: Viewer,
    owner: UUID,
    period_start: date,
    period_end: date,
    amount: Decimal | int | float | str,
    currency: str,
    reason: str,
) -> None:
    """Names what the owner, with everybody below them, will win from `period_start` until before `period_end`.

    An earlier number stays on record and no longer counts. Raises Invalid with the field, or NotAllowed.
    """
    if by.role not in ("manager", "admin"):
        raise NotAllowed("Your role does not name numbers of its own: managers do, for their teams.")
    if by.team is not None and owner not in by.team:
        raise NotAllowed(
            "This person is not in your team: you name numbers for yourself and for those who report to you."
        )
    if period_start >= period_end:
        raise Invalid("The period has no days: choose an end after its start.", "period_end")
    if not reason.strip():
        raise Invalid("Say why you expect this number: it will be compared with what happens.", "reason")
    values = {
        "author_id": by.id,
        "owner_id": owner,
        "period_start": period_start,
        "period_end": period_end,
        "amount": _amount(amount),
        "currency": currency,
        "reason": reason.strip(),
    }
    with writing(by, reason=reason.strip()) as db:
        db.execute(sa.insert(adjustments).values(values))


def withdraw(*, by: Viewer, adjustment_id: UUID, version: int) -> None:
    """Takes a number back; it stays on record. Raises NotFound, or Conflict where it was withdrawn meanwhile."""
    one = adjustments.c.id == adjustment_id
    standing = sa.and_(one, adjustments.c.version == version, adjustments.c.withdrawn_at.is_(None))
    with writing(by) as db:
        if db.execute(sa.update(adjustments).where(standing).values(withdrawn_at=sa.func.now())).rowcount == 1:
            return
        if db.scalar(sa.select(sa.exists().where(one, adjustments.c.author_id != by.id))) and by.role != "admin":
            raise NotAllowed("Somebody else named this number: only they, or an admin, can take it back.")
        if db.scalar(sa.select(sa.exists().where(one))):
            raise Conflict("This number was taken back in the meantime.")
        raise NotFound("This number is gone; it may have been taken back in another window.")


def _amount(given: Decimal | int | float | str) -> Decimal:
    try:
        amount = Decimal(str(given))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise Invalid(f"{given} is not an amount.", "amount")
    if amount < 0:
        raise Invalid("A number to be won is not negative.", "amount")
    if amount > MOST:
        raise Invalid("The amount is too large to be stored.", "amount")
    return round(amount, 2)
