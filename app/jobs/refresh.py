"""The daily refresh: calibration, engagement, health, churn and opportunity scores of everybody, in one pass.

First everything is read and computed, then it is written in small transactions, each of which holds its rows for a
moment only, so pages keep working beside it. Every statement writes only what differs: a second run on the same day
changes nothing, and one that was interrupted is completed by the next.
"""

import datetime as dt
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from itertools import count
from typing import Any, Final

import numpy as np
import pandas as pd
import sqlalchemy as sa
from sqlalchemy import Column, Connection, Date, Double, Integer, Numeric, Text, Uuid, func
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, distinct_on, insert

from app import database
from app.errors import Unavailable
from app.estimates import churn, health, logistic, win
from app.estimates.logistic import ReportCard
from app.jobs import calibration, known
from app.jobs.known import Calendar
from queries import vocabulary as v

Progress = Callable[[str, float], object]
"""Told what is being done, and the share of the whole that is done."""

BATCH: Final = 2_000
"""Rows of a transaction: a fraction of a second's work."""

SENT_TWICE: Final = dt.timedelta(days=30)
"""How long it is known what a form was saved as: no page is open for longer, to send it again."""

_ONE_AT_A_TIME: Final = 0x45565246  # the advisory lock of whoever refreshes

_organizers = sa.table(
    "crm_organizers",
    *(sa.column(name) for name in ("id", "engagement_score", "health_score", "churn_risk", "scored_at")),
    *(sa.column(name) for name in ("total_revenue", "lifetime_value", "annual_events", "last_activity_at")),
    schema="public",
)
_opportunities = sa.table(
    "crm_opportunities",
    *(sa.column(name) for name in ("id", "status", "ai_score", "scored_at")),
    sa.column("ai_insights", JSONB),
    schema="public",
)


def run(progress: Progress = lambda _text, _share: None) -> dict[str, int]:
    """Refreshes the configured database; returns the numbers of organizers and opportunities that were scored.

    Raises Unavailable where another refresh is at work.
    """
    is_last = threading.Event()
    with database.owning() as alone, ThreadPoolExecutor() as beside:
        if not alone.scalar(sa.select(func.pg_try_advisory_xact_lock(_ONE_AT_A_TIME))):
            raise Unavailable("Another refresh is at work. Nothing is lost: its scores are as good.")
        # Beside the scores, which do not need it: while the one computes, the other's rows are read or written.
        calibrating = beside.submit(_calibrate, lambda text, share: is_last.is_set() and progress(text, share))
        progress("Reading", 0.0)
        with _reading() as connection:
            calendar = known.calendar(connection)
            _begin(connection, calendar)
            opportunities = beside.submit(_opportunities_of, calendar)  # half of all reading
            scored, churn_card = _scored(connection, calendar, progress)
        progress("Learning what is won", 0.35)
        before, open_now = opportunities.result()
        deals, win_card = _scored_opportunities(calendar, before, open_now, scored)
        _write(beside, calendar, scored, deals, progress)
        is_last.set()
        calibrating.result()
        with database.owning() as connection:
            _finish(connection, calendar, {"churn": churn_card, "win": win_card})
        progress("Done", 1.0)
    return {"organizers": len(scored), "opportunities": len(deals)}


def _calibrate(progress: Progress) -> None:
    with database.owning() as connection:
        if calibration.missing(connection):
            calibration.run(connection, progress=progress)


def is_due(connection: Connection) -> bool:
    """Whether today's refresh or a calibration run is missing, and there is anything to score."""
    done = sa.select(v.refreshes.c.refreshed_on).where(
        v.refreshes.c.refreshed_on == func.app.today(), v.refreshes.c.finished_at.is_not(None)
    )
    there = sa.exists(sa.select(_organizers.c.id))
    is_there, is_done = connection.execute(sa.select(there, sa.exists(done))).one()
    return is_there and (not is_done or bool(calibration.missing(connection)))


def model_runs(connection: Connection) -> list[dict[str, Any]]:
    """The newest report card of each model, as JSON takes it."""
    runs = v.model_runs
    newest = sa.select(runs).order_by(runs.c.model, runs.c.as_of.desc()).ext(distinct_on(runs.c.model))
    rows = connection.execute(newest).mappings()
    return [{**row, "abstained": row["reason"] is not None} for row in rows]


def told(card: dict[str, Any]) -> str:
    """A report card in one line for a terminal."""
    what = f"{card['model']} ({card['as_of']}): {card['n']:,} past cases, {card['events']:,} events"
    if card["reason"]:
        return f"{what}. Abstains: {card['reason']}"
    return f"{what}; AUC {card['auc']:.2f}, Brier score {card['brier']:.3f} (base rate {card['brier_base']:.3f})."


# Computing -----------------------------------------------------------------------------------------------


@contextmanager
def _reading() -> Iterator[Connection]:
    """For whoever reads all rows."""
    with database.owning() as connection:
        connection.execute(sa.select(func.set_config("work_mem", "256MB", True), func.set_config("jit", "off", True)))
        yield connection


def _opportunities_of(calendar: Calendar) -> tuple[pd.DataFrame, pd.DataFrame]:
    with _reading() as connection:
        return known.opportunities(connection, calendar)


def _scored(connection: Connection, calendar: Calendar, progress: Progress) -> tuple[pd.DataFrame, ReportCard]:
    """The organizers with all that is said of them, and how far the model behind it may be believed."""
    organizers = known.organizers(connection, calendar)
    past = known.past(connection, calendar, organizers["id"])
    progress("Learning who leaves", 0.2)
    model, churn_card = churn.learn(past)
    parts = health.parts(past, organizers["engagement"], organizers["open_opportunities"])
    points, observed = health.score(parts)
    clock = churn.clock(past, past.today)
    gone = clock.runs_out < past.today
    why = [{"health": _some(row)} for row in _records(points.where(parts.notna()))]
    probability = np.full(len(organizers), np.nan)
    if model is not None:
        probability, churn_points = churn.score(model, past, past.today)
        rounded = logistic.tenths(churn_points)
        probability = np.where(np.isnan(probability), np.nan, rounded.sum(axis=1).round(1) / 100)
        moved = zip(why, _records(rounded), probability, strict=True)
        why = [{**one, "churn": row} if chance > 0 else one for one, row, chance in moved]
    whole = health.whole(points)
    held = past.occasions[past.occasions["is_event"] & (past.occasions["day"] > past.today - 365)]
    columns: dict[str, Any] = {
        "health": points.sum(axis=1).round(1),
        "health_score": whole,
        "observed_share": observed,
        "churn_probability": probability,
        "churn_risk": health.risk(whole, probability if model is not None else None),
        "first_seen_on": _dates(clock.first),
        "last_seen_on": _dates(clock.last),
        "usual_gap_days": clock.gap,
        "runs_out_on": _dates(np.ceil(clock.runs_out)),
        "churned_on": _dates(np.where(gone, np.ceil(clock.runs_out), np.nan)),
        "annual_events": np.bincount(held["organizer"], minlength=len(organizers)),
        "parts": [_some(row) for row in _records(parts.round())],
        "why": why,
    }
    scored = organizers.assign(**columns)
    scored.loc[np.asarray(gone), "churn_risk"] = "high"
    return scored, churn_card


def _scored_opportunities(
    calendar: Calendar, before: pd.DataFrame, open_now: pd.DataFrame, organizers: pd.DataFrame
) -> tuple[pd.DataFrame, ReportCard]:
    deals = open_now.assign(health=open_now["organizer_id"].map(organizers.set_index("id")["health"]).astype(float))
    model, card = win.learn(before, calendar.number)
    chance, points = win.score(model, card, deals)
    return _told(deals, organizers, chance, points, card), card


def _told(
    deals: pd.DataFrame, organizers: pd.DataFrame, chance: Any, points: pd.DataFrame, card: ReportCard
) -> pd.DataFrame:
    """The opportunities' scores with what there is to say about each."""
    people = organizers.set_index("id")[["decision_makers", "reached"]]
    facts = deals.join(people, on="organizer_id").assign(
        chance=chance,
        target=[win.day_of(day) for day in win.target(deals)],
    )
    insights = [
        win.insights(fact, _some(point), card) for fact, point in zip(_records(facts), _records(points), strict=True)
    ]
    return pd.DataFrame(
        {
            "id": deals["opportunity_id"],
            "ai_score": np.floor(np.nan_to_num(chance, nan=0.5) * 100 + 0.5).astype(int),
            "told": insights,
        }
    )


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return frame.to_dict("records")  # type: ignore[return-value]


def _some(row: dict[str, Any]) -> dict[str, Any]:
    """What is known of a row."""
    return {name: value for name, value in row.items() if value == value}


def _dates(days: Any) -> list[dt.date | None]:
    return [win.day_of(day) if np.isfinite(day) else None for day in np.asarray(days, dtype=float)]


# Writing -------------------------------------------------------------------------------------------------


def _write(
    beside: Executor, calendar: Calendar, organizers: pd.DataFrame, deals: pd.DataFrame, progress: Progress
) -> None:
    """Organizers beside opportunities: neither waits for a row of the other."""
    total, done = max(1, len(organizers) + len(deals)), count(BATCH, BATCH)

    def write(batch: Callable[[Connection, Calendar, pd.DataFrame], None], rows: pd.DataFrame) -> None:
        for start in range(0, len(rows), BATCH):
            with database.owning() as connection:
                batch(connection, calendar, rows.iloc[start : start + BATCH])
            progress("Writing", 0.5 + 0.5 * min(1.0, next(done) / total))

    progress("Writing", 0.5)
    both = [beside.submit(write, _write_organizers, organizers), beside.submit(write, _write_opportunities, deals)]
    for written in both:
        written.result()


def _begin(connection: Connection, calendar: Calendar) -> None:
    begun = insert(v.refreshes).values(refreshed_on=calendar.today)
    connection.execute(begun.on_conflict_do_nothing())


def _write_organizers(connection: Connection, calendar: Calendar, rows: pd.DataFrame) -> None:
    ids = sa.literal(rows["id"].tolist(), ARRAY(Uuid))
    # Locked before they are scored: an activity that is being logged is either counted here, or counts itself after.
    locked = sa.select(_organizers.c.id).where(_organizers.c.id == sa.any_(ids)).order_by(_organizers.c.id)
    connection.execute(locked.with_for_update(key_share=True))
    scored = _rows(
        rows,
        id=Uuid, health_score=Integer, churn_risk=Text, health=Numeric, observed_share=Double, churn_probability=Double,
        first_seen_on=Date, last_seen_on=Date, usual_gap_days=Double, runs_out_on=Date, churned_on=Date,
        parts=JSONB, why=JSONB,
        annual_events=Integer, won=Numeric, expected=Numeric,
    )  # fmt: skip
    moment = sa.select(func.app.effective_time(type_=v.Moment).label("at")).subquery()
    engaged = (
        func.app.engagement_of(scored.c.id, moment.c.at)
        .table_valued(Column("score", Integer), Column("latest", v.Moment), name="engaged")
        .lateral()
    )
    known = sa.select(
        scored, engaged.c.score.label("engagement_score"), engaged.c.latest.label("last_activity_at")
    ).select_from(scored.join(moment, sa.true()).join(engaged, sa.true())).subquery()  # fmt: skip
    new: dict[str, Any] = {
        **{name: known.c[name] for name in ("engagement_score", "last_activity_at", "health_score", "churn_risk")},
        "annual_events": known.c.annual_events,
        "total_revenue": known.c.won,
        "lifetime_value": known.c.won + known.c.expected,
    }
    scored_today = sa.cast(func.timezone(calendar.zone, _organizers.c.scored_at), Date) == calendar.today
    connection.execute(
        sa.update(_organizers)
        .values(scored_at=func.now(), **new)
        .where(_organizers.c.id == known.c.id)
        .where(
            sa.or_(
                scored_today.is_not(sa.true()),
                *(_organizers.c[name].is_distinct_from(value) for name, value in new.items()),
            )
        )
    )
    current = v.organizer_health
    there = sa.join(scored, _organizers, _organizers.c.id == scored.c.id)  # not those that were removed meanwhile
    known_before = there.outerjoin(current, current.c.organizer_id == scored.c.id)
    # Once it has churned, what moved it stays as it was: what happens afterwards is no reason for it.
    why = sa.case(
        (sa.and_(scored.c.churned_on.is_not(None), current.c.churned_on == scored.c.churned_on), current.c.why),
        else_=scored.c.why,
    )
    names = [column.name for column in current.c if column.name not in ("organizer_id", "scored_on", "why")]
    _upsert(
        connection,
        current,
        sa.select(scored.c.id, sa.literal(calendar.today, Date), *(scored.c[name] for name in names), why).select_from(
            known_before
        ),
        ["organizer_id", "scored_on", *names, "why"],
        ["organizer_id"],
    )
    _upsert(
        connection,
        v.organizer_scores,
        sa.select(
            scored.c.id, sa.literal(calendar.today, Date), _organizers.c.engagement_score, scored.c.health_score,
            scored.c.churn_risk, scored.c.churn_probability, scored.c.observed_share, scored.c.parts,
        ).select_from(there),
        ["organizer_id", "scored_on", "engagement_score", "health_score", "churn_risk", "churn_probability",
         "observed_share", "parts"],
        ["organizer_id", "scored_on"],
    )  # fmt: skip


def _write_opportunities(connection: Connection, calendar: Calendar, rows: pd.DataFrame) -> None:
    deals = _rows(rows, id=Uuid, ai_score=Integer, told=JSONB)
    scored_today = sa.cast(func.timezone(calendar.zone, _opportunities.c.scored_at), Date) == calendar.today
    connection.execute(
        sa.update(_opportunities)
        .values(ai_score=deals.c.ai_score, ai_insights=deals.c.told, scored_at=func.now())
        .where(_opportunities.c.id == deals.c.id, _opportunities.c.status == "open")
        .where(
            sa.or_(
                scored_today.is_not(sa.true()),
                _opportunities.c.ai_score.is_distinct_from(deals.c.ai_score),
                _opportunities.c.ai_insights.is_distinct_from(deals.c.told),
            )
        )
    )


def _finish(connection: Connection, calendar: Calendar, cards: dict[str, ReportCard]) -> None:
    names = [
        "n",
        "events",
        "cutoffs",
        "held_out",
        "base_rate",
        "auc",
        "brier",
        "brier_base",
        "curve",
        "effects",
        "reason",
    ]
    for model, card in cards.items():
        told = asdict(card) | {
            "cutoffs": list(card.cutoffs),
            "held_out": list(card.held_out),
            "curve": card.curve.round(6).to_dict("records"),
            "reason": card.reason or None,
        }
        values = {name: None if told[name] != told[name] else told[name] for name in names}
        stated = insert(v.model_runs).values(model=model, as_of=calendar.today, **values)
        differs = sa.or_(*(v.model_runs.c[name].is_distinct_from(stated.excluded[name]) for name in names))
        connection.execute(
            stated.on_conflict_do_update(
                index_elements=["model", "as_of"],
                set_={name: stated.excluded[name] for name in names} | {"made_at": func.now()},
                where=differs,
            )
        )
    connection.execute(
        sa.update(v.refreshes)
        .values(finished_at=func.now())
        .where(v.refreshes.c.refreshed_on == calendar.today, v.refreshes.c.finished_at.is_(None))
    )
    connection.execute(sa.delete(v.submissions).where(v.submissions.c.made_at < func.now() - SENT_TWICE))
    passed = (
        sa.select(func.array_agg(v.done_activities.c.contact_id.distinct()))
        .where(v.done_activities.c.happens_at > func.now() - dt.timedelta(days=2))
        .where(v.done_activities.c.happens_at <= func.now(), v.done_activities.c.contact_id.is_not(None))
        .scalar_subquery()
    )
    none = sa.cast(sa.literal([], ARRAY(Uuid)), ARRAY(Uuid))
    connection.execute(sa.select(func.app.update_engagement(none, passed)))  # appointments that have come to pass


def _upsert(connection: Connection, into: sa.Table, rows: sa.Select[Any], names: list[str], key: list[str]) -> None:
    """Inserts the rows, or updates those that differ."""
    stated = insert(into).from_select(names, rows)
    values = [name for name in names if name not in key]
    connection.execute(
        stated.on_conflict_do_update(
            index_elements=key,
            set_={name: stated.excluded[name] for name in values},
            where=sa.or_(*(into.c[name].is_distinct_from(stated.excluded[name]) for name in values)),
        )
    )


def _rows(frame: pd.DataFrame, **types: Any) -> sa.TableValuedAlias:
    """Columns of the frame as a table of the statement, sent as one JSON text."""
    plain = frame[list(types)].astype(object)
    text = json.dumps(_records(plain.where(plain.notna(), None)), default=str, allow_nan=False)
    columns = [Column(name, kind) for name, kind in types.items()]
    given = func.jsonb_to_recordset(sa.cast(sa.literal(text, Text), JSONB))
    return given.table_valued(*columns, name="given").render_derived(with_types=True)
