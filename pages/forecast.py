"""What will the period bring, and how sure are we? The first page of managers."""

from functools import partial

import streamlit as st

from app import formats, identity
from app.charts import forecast as charts
from app.components import drawer, freshness, look_back, roll_up, what_if
from app.components import forecast as pieces
from app.components.forecast import CERTAIN, NOTHING, PAGE, WITHOUT
from app.components.picture import Answer, picture
from app.components.review import opened, reading
from app.forecasting import distribution
from queries import calibration, forecast

identity.require("rep", "manager", "executive", "admin")


def body() -> None:
    """The page, drawn again whenever the data change."""
    tried = what_if.changes()
    with opened(PAGE, "Forecast", WITHOUT) as read:
        scope = read.scope
        months, outside, thresholds = read(forecast.months), read(forecast.outside), read.ask(forecast.thresholds)
        before, run = read.ask(forecast.months, scope.before()), read(calibration.latest)
        deals, team = read(forecast.open_opportunities), read(forecast.roll_up)
        whole = distribution(read.ask, scope)
        after = distribution(read.ask, scope, tried) if tried else None
    setting, currency = read.setting, scope.currency
    rows = pieces.bars(months.frame, outside.frame, whole, scope)
    target = None if rows["target"].isna().iloc[0] else float(rows["target"].iloc[0])
    spread, totals = pieces.contributions(whole, deals.frame), pieces.histogram(whole)
    number = int(rows["opportunities"].iloc[0])
    behind = formats.counted(number, "opportunity", "opportunities")
    is_empty = not rows["opportunities"].sum() and target is None
    levels = {name: whole.quantile(level) for name, level in pieces.LEVELS.items()}
    outline = None if after is None else pieces.histogram(after)
    amounts = partial(forecast.open_amounts.sql, scope)

    pieces.headline(rows, before, whole, months, scope)
    left, right = st.columns([3, 2])
    with left:
        picture(
            "against-target", "Won and open against the target",
            Answer(rows, pieces.BARS, months.sql), setting,
            lambda: charts.against_target(rows, pieces.names(thresholds), currency),
            note=f"Won or open in {scope.period.label}: {behind}", empty=NOTHING, is_empty=is_empty,
            hint="Bars begin where won ends. What is overdue or has no close date is in no month.",
            on_pick=lambda what: pieces.pick(what, rows),
        )  # fmt: skip
    with right:
        picture(
            "distribution", f"What {scope.period.label} may bring",
            Answer(totals, pieces.HISTOGRAM, amounts), setting,
            lambda: charts.distribution(totals, levels, target, currency, outline),
            note=pieces.source(run.frame), empty=NOTHING, is_empty=is_empty,
            hint="Simulated periods by what they bring. What is overdue or undated may close in the period too.",
            controls=lambda: pieces.said(whole, after, target, currency),
        )  # fmt: skip
    left, right = st.columns(2)
    with left:
        picture(
            "contributions", "What makes the uncertainty", Answer(spread, pieces.CONTRIBUTIONS, amounts), setting,
            lambda: charts.contributions(spread, currency),
            note="Share of the total’s variance", empty=NOTHING if is_empty else CERTAIN,
            hint="Chance to be won in the period, and worth. Choose one to see it, and to try it otherwise.",
            on_pick=lambda key: pieces.pick_opportunity(key, spread),
        )  # fmt: skip
    with right:
        what_if.draw(deals.frame, spread.dropna(subset=["opportunity_id"]), whole, after, target, setting)
    roll_up.draw(team, read.viewer, scope, setting)
    look_back.section(read.viewer, scope, setting)


def bar_records(what: str) -> None:
    """The opportunities behind a bar of the main picture; they add up to it."""
    bar, row = pieces.split(what)
    with reading(PAGE, WITHOUT) as read:
        found = pieces.behind_bar(read, bar, row)
    pieces.records(found, read.setting)


def sum_records(what: str) -> None:
    """The opportunities behind an amount of a team or a person; they add up to it."""
    bar, whose, key = what.split(charts.SEPARATOR)
    with reading(PAGE, WITHOUT) as read:
        found = roll_up.behind_sum(read, bar, whose, key)
    pieces.records(found, read.setting)


def past_records(start: str) -> None:
    """What was won in a past quarter."""
    with reading(PAGE, WITHOUT) as read:
        found = pieces.behind_bar(read.changed(period=look_back.quarter(start, read.scope)), "won")
    pieces.records(found, read.setting)


def opportunity(key: str) -> None:
    """One opportunity, and the way to try it otherwise."""
    with reading(PAGE, WITHOUT) as read:
        deals = read(forecast.open_opportunities)
    what_if.one(deals, key, read.setting)


def own_number(_: str) -> None:
    """The form for a manager's own number."""
    with reading(PAGE, WITHOUT) as read:
        named, computed = read(forecast.adjustments), read(forecast.roll_up)
    roll_up.form(read, named.frame, computed.frame)


freshness.live(body)
drawer.place(
    {
        "bar": bar_records,
        "sum": sum_records,
        "past": past_records,
        "opportunity": opportunity,
        "own-number": own_number,
    }
)
