"""The calibration: what the whole company's history says of stages, closing dates and quarters, stored for every page.

A run is made as of the end of a day from what was known then and nothing later. There is one for today, and one for the
first day of each month of the past, so that a page of a past day, and the look back, use what could be known.
"""

import datetime as dt
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import sqlalchemy as sa
from sqlalchemy import Connection, func
from sqlalchemy.dialects.postgresql import insert

from app.estimates import calibration, forecast, timing
from app.estimates.stored import Fitted, to_text
from app.jobs import columns
from queries import vocabulary as v

Progress = Callable[[str, float], object]
"""Told what is being done, and the share of the whole that is done."""

MONTHS_BACK: Final = 36
"""Past months that have a run: three years to look back on."""

KEPT_DAYS: Final = 31
"""Days for which the runs within a month are kept; later, those of its first day are enough."""

DRAWS: Final = 2000
FEWER: Final = 200
"""Resamples behind the scores' intervals: of today's run, and of those of the past."""

_OUTCOMES: Final[tuple[str, ...]] = ("open", "won", "lost", "abandoned", "deleted")
_SOURCES: Final[tuple[str, ...]] = ("stage", "manual", "model")

_ONE_AT_A_TIME = 0x45564341  # the advisory lock of everybody who calibrates


def run(
    connection: Connection,
    *,
    anew: bool = False,
    past: bool = True,
    progress: Progress = lambda _text, _share: None,
) -> dt.date:
    """Makes today's run, and with `past` those of past months that are missing, in the owner's transaction.

    Returns today. `anew` forgets the runs that are there: for a history that was just loaded.
    """
    connection.execute(sa.select(func.pg_advisory_xact_lock(_ONE_AT_A_TIME)))
    today = _today(connection)
    kept = v.calibrations.c.as_of
    passed = sa.and_(kept < today - dt.timedelta(days=KEPT_DAYS), kept != func.date_trunc("month", kept))
    connection.execute(sa.delete(v.calibrations).where(sa.true() if anew else passed))
    first_month = connection.scalars(sa.select(v.settings.c.fiscal_year_first_month)).one()
    history = _History(_versions(connection), _stages(connection), first_month)
    days = [day for day in missing(connection) if day < today] if past else []
    for done, day in enumerate([today, *days]):
        progress(f"Calibration as of {day}", done / (len(days) + 1))
        _store(connection, day, history, draws=DRAWS if day == today else FEWER)
    progress("Calibration", 1)
    return today


def missing(connection: Connection) -> list[dt.date]:
    """The days without a run that should have one: today, and first days of past months until nothing changed more."""
    today, from_ = _today(connection), v.opportunity_history.c.valid_from
    zone = func.app.organisation_time_zone()
    ends = [
        func.coalesce(sa.cast(func.timezone(zone, end), sa.Date), today) for end in (func.min(from_), func.max(from_))
    ]
    first, last = connection.execute(sa.select(ends[0], ends[1])).one()
    after_all = last.replace(day=1) + dt.timedelta(days=31)
    months = timing.months_between(first, min(after_all, today))[1:][-MONTHS_BACK:]
    made = set(connection.scalars(sa.select(v.calibrations.c.as_of)))
    return [day for day in (*months, today) if day not in made]


def _today(connection: Connection) -> dt.date:
    today: dt.date = connection.scalars(sa.select(func.app.today())).one()
    return today


# What is recorded ---------------------------------------------------------------------------------------------


def _versions(connection: Connection) -> pd.DataFrame:
    """Every version of every opportunity, in order; days instead of moments, numbers instead of opportunities' ids."""
    zone = connection.scalars(sa.select(func.app.organisation_time_zone())).one()
    found = columns.read(connection, _recorded(), dealt_by="opportunity_id")
    numbers, _ = columns.codes(found.pop("opportunity_id"))
    order = np.lexsort((found.pop("seq"), numbers))
    rows = {"opportunity_id": numbers[order]} | {name: found.pop(name)[order] for name in list(found)}
    moments = {"created_on": "created_at", "from_day": "valid_from", "to_day": "valid_to"}
    ids = {name: columns.codes(rows[name]) for name in ("stage_id", "owner_id")}
    known: dict[str, tuple[columns.Column, Sequence[str]]] = {
        **{name: (codes, columns.texts(there)) for name, (codes, there) in ids.items()},
        "outcome": (rows["outcome"], _OUTCOMES),
        "probability_source": (rows["probability_source"], _SOURCES),
    }
    return pd.DataFrame(
        {
            **{name: rows[name] for name in ("opportunity_id", "is_entry", "probability", "set_probability")},
            **{name: columns.days(rows.pop(moment), zone) for name, moment in moments.items()},
            **{name: _dates(rows.pop(name)) for name in ("expected_close_date", "closed_on")},
            **{name: pd.Categorical.from_codes(codes, pd.Index(names)) for name, (codes, names) in known.items()},
        }
    )


def _recorded() -> sa.Select[Any]:
    version, stage = v.opportunity_history, v.stages_over_time
    then = sa.and_(
        stage.c.stage_id == version.c.stage_id,
        stage.c.valid_from <= version.c.valid_from,
        sa.or_(stage.c.valid_to.is_(None), stage.c.valid_to > version.c.valid_from),
    )
    is_entry = sa.and_(version.c.stage_entered_at == version.c.valid_from, version.c.stage_id.is_not(None))
    is_manual = sa.and_(version.c.probability_source == "manual", version.c.status == "open")
    shares = {"probability": version.c.probability, "set_probability": stage.c.default_probability}
    days = {"expected_close_date": version.c.expected_close_date, "closed_on": version.c.actual_close_date}
    return sa.select(
        *(version.c[name] for name in ("opportunity_id", "seq", "created_at", "valid_from", "valid_to", "stage_id")),
        *((sa.cast(value, sa.Double) / sa.literal(100, sa.Double)).label(name) for name, value in shares.items()),
        *(sa.cast(day - sa.literal(dt.date(1970, 1, 1), sa.Date), sa.Double).label(name) for name, day in days.items()),
        is_entry.label("is_entry"),
        _place(version.c.probability_source, _SOURCES).label("probability_source"),
        sa.case((version.c.is_deleted, _OUTCOMES.index("deleted")), else_=_place(version.c.status, _OUTCOMES)).label(
            "outcome"
        ),
        sa.case((is_manual, version.c.assigned_to)).label("owner_id"),
    ).select_from(version.outerjoin(stage, then))


def _place(column: sa.ColumnElement[Any], names: tuple[str, ...]) -> sa.ColumnElement[int]:
    return sa.case({name: place for place, name in enumerate(names)}, value=column, else_=-1)


def _dates(days: columns.Column) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(pd.to_datetime(days, unit="D")).as_unit("s")


def _stages(connection: Connection) -> pd.DataFrame:
    """Every version of every open stage, with the days on which it held."""
    stage, zone = v.stages_over_time, func.app.organisation_time_zone()
    statement = sa.select(
        sa.cast(stage.c.stage_id, sa.Text), stage.c.name, stage.c.order_index, stage.c.default_probability,
        *(sa.cast(func.timezone(zone, moment), sa.Date) for moment in (stage.c.valid_from, stage.c.valid_to)),
    ).where(sa.not_(stage.c.is_closed)).order_by(stage.c.valid_from)  # fmt: skip
    columns = ["stage_id", "stage", "position", "set_probability", "from_day", "to_day"]
    found = pd.DataFrame(connection.execute(statement).all(), columns=columns)
    days = {name: pd.to_datetime(found[name]).astype("datetime64[s]") for name in ("from_day", "to_day")}
    return found.assign(**days, set_probability=found["set_probability"].astype(float) / 100)


@dataclass(frozen=True)
class _History:
    """All that is recorded; what was known on a day is cut out of it by that day."""

    versions: pd.DataFrame
    every_stage: pd.DataFrame
    first_month: int

    def begins(self, day: dt.date) -> dt.date | None:
        """Day of the first opportunity that was known on the day."""
        first = self.versions.loc[self.versions["from_day"] <= pd.Timestamp(day), "created_on"].min()
        return None if pd.isna(first) else first.date()

    @cached_property
    def entries(self) -> pd.DataFrame:
        """Entries into open stages, as `known_on` takes them."""
        rows = self.versions[self.versions["is_entry"] & (self.versions["outcome"] == "open")]
        columns = ["opportunity_id", "stage_id", "from_day", "set_probability", "expected_close_date"]
        return rows[columns].rename(columns={"from_day": "entered_on"})

    @cached_property
    def closings(self) -> pd.DataFrame:
        """Closings as `known_on` takes them, with the day on which they were recorded; a deletion is one too."""
        rows = self.versions
        same = [
            rows[name].eq(rows[name].shift()) | rows[name].isna() & rows[name].shift().isna()
            for name in ("opportunity_id", "outcome", "closed_on")
        ]
        begun = rows.loc[~np.logical_and.reduce(same), ["opportunity_id", "outcome", "closed_on", "from_day"]]
        follows = begun["opportunity_id"].eq(begun["opportunity_id"].shift(-1))
        begun = begun.assign(
            reopened_on=begun["from_day"].shift(-1).where(follows),
            closed_on=begun["closed_on"].where(begun["outcome"] != "deleted", begun["from_day"]),
        )
        closed: pd.DataFrame = begun[begun["outcome"] != "open"].rename(columns={"from_day": "recorded_on"})
        return closed

    def reaches(self, day: dt.date) -> pd.DataFrame:
        """The reaches of open stages as known on the day."""
        closings = self.closings[self.closings["recorded_on"] <= pd.Timestamp(day)]
        known: pd.DataFrame = calibration.known_on(self.entries, closings, day)
        kept: pd.DataFrame = known[known["outcome"] != "deleted"]
        return kept

    def stages(self, day: dt.date, reaches: pd.DataFrame) -> pd.DataFrame:
        """The open stages on the day that something had reached."""
        at, every = pd.Timestamp(day), self.every_stage
        reached = every["stage_id"].isin(reaches["stage_id"].unique().tolist())
        held = (every["from_day"] <= at) & ~(every["to_day"] <= at) & reached
        return every.loc[held, ["stage_id", "stage", "position", "set_probability"]]

    def overrides(self, day: dt.date) -> pd.DataFrame:
        """Probabilities of people's own, as `score_overrides` takes them."""
        rows = self.versions
        is_own = rows["probability_source"].eq("manual") & rows["outcome"].eq("open") & rows["owner_id"].notna()
        names = ["opportunity_id", "stage_id", "probability", "owner_id", "probability_source"]
        own = np.flatnonzero(is_own)
        now, before = rows[is_own], rows.iloc[np.maximum(own - 1, 0)]
        differs = [now[name].to_numpy() != before[name].to_numpy() for name in names]
        is_new = np.logical_or.reduce([own == 0, *differs])
        set_by_then = now[is_new & (now["from_day"] <= pd.Timestamp(day)).to_numpy()]
        renamed = {"probability": "override", "set_probability": "stage_probability"}
        known = set_by_then[["opportunity_id", "owner_id", *renamed]].rename(columns=renamed)
        return self._with_ends(known.dropna(subset=["stage_probability"]), day)

    def snapshots(self, days: list[dt.date], until: dt.date) -> pd.DataFrame:
        """What was open at the end of each of the days, and what was known of it at the end of `until`."""
        rows, begun, ended = self._open
        at = np.array(days, dtype="datetime64[s]")
        first, after = np.searchsorted(at, begun), np.searchsorted(at, ended)
        held = np.repeat(np.arange(len(rows)), after - first)
        nth = np.arange(len(held)) - np.repeat(np.cumsum(after - first) - (after - first), after - first)
        seen = rows.iloc[held].assign(seen_on=at[np.repeat(first, after - first) + nth])
        known = self._with_ends(seen, until)
        # Deleted is as good as given up; and who was open on a day was closed on it at the earliest.
        return known.assign(
            outcome=known["outcome"].where(known["outcome"] != "deleted", "abandoned"),
            closed_on=known["closed_on"].where(~(known["closed_on"] < known["seen_on"]), known["seen_on"]),
        )

    @cached_property
    def _open(self) -> tuple[pd.DataFrame, npt.NDArray[np.datetime64], npt.NDArray[np.datetime64]]:
        """Versions that were open at the end of a day, the first such day, and the first day on which no more."""
        rows = self.versions[(self.versions["outcome"] == "open") & self.versions["probability"].notna()]
        rows = rows[~(rows["to_day"] <= rows["from_day"])]
        names = ["opportunity_id", "stage_id", "probability", "probability_source", "expected_close_date"]
        ended = rows["to_day"].fillna(pd.Timestamp.max.floor("D")).to_numpy().astype("datetime64[s]")
        return rows[names], rows["from_day"].to_numpy(), ended

    def _with_ends(self, rows: pd.DataFrame, day: dt.date) -> pd.DataFrame:
        at, ends = pd.Timestamp(day), self.closings
        in_force = (ends["recorded_on"] <= at) & (ends["closed_on"] <= at) & ~(ends["reopened_on"] <= at)
        ends = ends[in_force].drop_duplicates("opportunity_id", keep="last").set_index("opportunity_id")
        known = rows.join(ends[["outcome", "closed_on"]], on="opportunity_id")
        return known.assign(outcome=known["outcome"].fillna("open"))


# What it says -------------------------------------------------------------------------------------------------


def _store(connection: Connection, day: dt.date, history: _History, draws: int) -> None:
    reaches = history.reaches(day)
    stages = history.stages(day, reaches)
    horizons: tuple[calibration.Horizon, ...] = ("ever", "by_expected_close")
    rates = {horizon: calibration.calibrate(reaches, stages, day, horizon) for horizon in horizons}
    decided = reaches[reaches["outcome"].isin(["won", "lost"])].dropna(subset=["set_probability"])
    said = pd.DataFrame({"forecast": decided["set_probability"], "won": decided["outcome"] == "won"})
    values = {
        "as_of": day,
        "made_at": func.now(),
        "history_from": history.begins(day),
        "stages": _records(pd.concat([found.assign(horizon=name) for name, found in rates.items()])),
        "reliability": _records(calibration.reliability(said)),
        "scores": _records(calibration.score_forecasters(reaches, stages, day, draws=draws)),
        "fitted": to_text(_fit(history, rates["ever"], day)),
    }
    stored = insert(v.calibrations).values(values)
    renewed = stored.on_conflict_do_update(
        index_elements=["as_of"], set_={name: stored.excluded[name] for name in values}
    )
    connection.execute(renewed)
    connection.execute(sa.delete(v.calibration_overrides).where(v.calibration_overrides.c.as_of == day))
    if owners := _records(
        calibration.score_overrides(history.overrides(day), draws=draws).assign(as_of=day.isoformat())
    ):
        connection.execute(sa.insert(v.calibration_overrides), [{**owner, "as_of": day} for owner in owners])


def _fit(history: _History, rates: pd.DataFrame, day: dt.date) -> Fitted:
    """How dates slip, from month starts; the months' effect, from quarter starts; the shock, from as far in."""
    begins = history.begins(day) or day
    past = [month for month in timing.months_between(begins, day) if begins <= month < day]
    slip = timing.fit_slip(history.snapshots(past, day), day)
    starts = sorted({timing.quarter_of(month, history.first_month)[0] for month in past})
    starts = [start for start in starts if start >= begins]
    at_start = _with_chances(history.snapshots([start for start in starts if start < day], day), rates)
    season = timing.fit_month_of_quarter(at_start, slip, day, history.first_month)
    as_far = _with_chances(history.snapshots(_as_far_into(starts, day, history.first_month), day), rates)
    shock = forecast.fit_shock(forecast.past_quarters(as_far, slip, day, season, history.first_month))
    return Fitted(slip, season, shock)


def _as_far_into(starts: list[dt.date], day: dt.date, first_month: int) -> list[dt.date]:
    """The days that lie in past quarters where the day lies in its own: the same month, the same day of it."""
    own = timing.quarter_of(day, first_month)[0]
    month = timing.months_between(own, day)[1:]
    days = []
    for start in starts:
        there = np.datetime64(start, "M") + len(month)
        last = ((there + 1).astype("datetime64[D]") - 1).item()
        days.append(min(there.astype("datetime64[D]").item() + dt.timedelta(days=day.day - 1), last))
    return [one for one in days if one < own]


def _with_chances(seen: pd.DataFrame, rates: pd.DataFrame) -> pd.DataFrame:
    return seen.assign(probability=forecast.chances(seen, rates))


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as JSON has them, what is missing as null."""
    found: list[dict[str, Any]] = json.loads(frame.to_json(orient="records", double_precision=15))
    return found
