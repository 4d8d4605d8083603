"""The versions of opportunities that the database's triggers would have kept of their changes."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from app.demo import truth
from app.demo.arrays import NEVER, Flags, Ints, Rows, latest, rank
from app.demo.changes import FIELDS, FOLLOW, KEEP, Changes
from app.demo.columns import Batch, batch, counts, dates, decimals, moments, pick
from app.demo.company import Company
from app.demo.deals import Deals
from app.demo.money import CURRENCIES
from app.demo.organizers import Organizers

STATUSES = ("open", "won", "lost", "abandoned")
OPEN, WON, LOST, ABANDONED = range(4)
SOURCES = ("stage", "manual")


@dataclass(frozen=True)
class Versions(Rows):
    """The versions of all opportunities of a block, sorted by opportunity and time."""

    deal: Ints
    seq: Ints
    at: Ints
    until: Ints
    """NEVER for the version that holds now."""
    by: Ints
    stage: Ints
    stage_entered: Ints
    next_stage: Ints
    """What the stay ends with, if it ends with this version; -1 otherwise."""
    value: Ints
    currency: Ints
    probability: Ints
    is_manual: Flags
    reason: Ints
    set_at: Ints
    set_by: Ints
    expected: Ints
    closed: Ints
    owner: Ints
    status: Ints
    is_deleted: Flags

    @property
    def current(self) -> Ints:
        """Rows of the versions that hold at the anchor, of opportunities that still exist, in their order."""
        return np.flatnonzero((self.until == NEVER) & ~self.is_deleted)


def versions(company: Company, deals: Deals, changes: Changes) -> Versions:
    """Every change is carried on until the next one; what changed nothing makes no version."""
    changed = changes.in_order()
    deal, at = changed["deal"], changed["at"]
    # An opportunity's first row has all values, so none is carried from one opportunity into the next.
    state = {name: changed[name][latest(changed[name] != KEEP)] for name in FIELDS if name != "reason"}
    stage, is_first = state["stage"], np.diff(deal, prepend=-1) != 0
    stage_entered = at[latest(is_first | (np.diff(stage, prepend=-1) != 0))]
    is_manual = state["manual"] != FOLLOW
    probability = np.where(is_manual, state["manual"], company.stages.probability(stage, at))
    is_given_up = deals.is_abandoned[deal] & (stage_entered >= deals.closes[deal])
    lost = np.where(is_given_up, ABANDONED, LOST)
    status = np.where(stage < truth.WON, OPEN, np.where(stage == truth.WON, WON, lost))
    closed = np.where(status == OPEN, NEVER, company.clock.day(stage_entered))

    names = ("stage", "value", "currency", "expected", "owner", "deleted")
    tracked = np.column_stack([*(state[name] for name in names), probability, is_manual, closed, status])
    differs = is_first | (np.diff(tracked, axis=0, prepend=tracked[:1]) != 0).any(axis=1)
    was_deleted = ~is_first & (np.roll(state["deleted"], 1) == 1)
    kept = np.flatnonzero(differs & ~was_deleted)
    kept = kept[np.append((np.diff(deal[kept]) != 0) | (np.diff(at[kept]) != 0), True)]  # one version a moment

    deal, at, by, stage = deal[kept], at[kept], changed["by"][kept], stage[kept]
    probability, is_manual = probability[kept], is_manual[kept]
    is_last = np.diff(deal, append=-1) != 0
    next_stage = np.append(stage[1:], -1)
    is_set = (np.diff(deal, prepend=-1) != 0) | (np.diff(probability, prepend=-1) != 0)
    set_in = latest(is_set | (np.diff(1 * is_manual, prepend=-1) != 0))
    return Versions(
        deal=deal,
        seq=rank(deal) + 1,
        at=at,
        until=np.where(is_last, NEVER, np.append(at[1:], NEVER)),
        by=by,
        stage=stage,
        stage_entered=stage_entered[kept],
        next_stage=np.where(is_last | (next_stage == stage), -1, next_stage),
        value=state["value"][kept],
        currency=state["currency"][kept],
        probability=probability,
        is_manual=is_manual,
        reason=np.where(is_manual, np.maximum(changed["reason"][kept], -1)[set_in], -1),
        set_at=at[set_in],
        set_by=by[set_in],
        expected=state["expected"][kept],
        closed=closed[kept],
        owner=state["owner"][kept],
        status=status[kept],
        is_deleted=state["deleted"][kept] == 1,
    )


def rows(company: Company, organizers: Organizers, deals: Deals, known: Versions) -> Batch:
    """The history table."""
    people, stages = company.people.ids, company.stages.ids
    return batch(
        "crm_opportunity_history",
        opportunity_id=pick(deals.ids, known.deal),
        seq=counts(known.seq),
        valid_from=moments(known.at),
        valid_to=moments(known.until),
        organizer_id=pick(organizers.ids, deals.organizer[known.deal]),
        stage_id=pick(stages, known.stage),
        stage_entered_at=moments(known.stage_entered),
        next_stage_id=pick(stages, known.next_stage),
        value=decimals(known.value),
        currency=pick(CURRENCIES, known.currency),
        probability=counts(known.probability),
        probability_source=pick(SOURCES, 1 * known.is_manual),
        expected_close_date=dates(known.expected),
        actual_close_date=dates(known.closed),
        assigned_to=pick(people, known.owner),
        status=pick(STATUSES, known.status),
        created_at=moments(deals.created[known.deal]),
        is_deleted=pa.array(known.is_deleted),
        changed_by=pick(people, known.by),
    )
