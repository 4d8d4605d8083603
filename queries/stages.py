"""The stages themselves: how they are set up, what changed them, and what another default probability would do.

How often opportunities are really won from each is in `queries.calibration`.
"""

from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Boolean, Column, ColumnElement, Date, Integer, Text, Uuid, func
from sqlalchemy.dialects.postgresql import JSONB

from queries import scoped
from queries import vocabulary as v
from queries.question import Statement, question
from queries.scope import Scope
from queries.units import color, count, flag, identifier, moment, money, share, square, text

stages = sa.Table(
    "crm_pipeline_stages",
    v.catalogue,
    Column("id", Uuid),
    Column("name", Text),
    Column("description", Text),
    Column("order_index", Integer),
    Column("color", Text),
    Column("is_active", Boolean),
    Column("is_closed", Boolean),
    Column("is_won", Boolean),
    Column("auto_actions", JSONB),
    Column("default_probability", Integer),
    Column("version", Integer),
)

history = sa.Table(
    "crm_stage_history",
    v.catalogue,
    Column("stage_id", Uuid),
    Column("seq", Integer),
    Column("valid_from", v.Moment),
    Column("valid_to", v.Moment),
    Column("name", Text),
    Column("order_index", Integer),
    Column("color", Text),
    Column("is_active", Boolean),
    Column("is_closed", Boolean),
    Column("is_won", Boolean),
    Column("default_probability", Integer),
    Column("is_deleted", Boolean),
    Column("changed_by", Uuid),
)

changes = sa.Table(
    "crm_stage_changes",
    v.catalogue,
    Column("id", Uuid),
    Column("stage_id", Uuid),
    Column("seq", Integer),
    Column("made_at", v.Moment),
    Column("made_by", Uuid),
    Column("probability_before", Integer),
    Column("probability", Integer),
    Column("follows", Text),
    Column("opportunities", Integer),
    Column("effect", v.Money),
    Column("currency", Text),
    Column("without_rate", Integer),
    Column("reason", Text),
    Column("undoes", Uuid),
)

_LATEST = 200  # changes: more than a year of somebody who changes one every other day
_FIELDS = ("name", "order_index", "color", "is_active", "is_closed", "is_won", "default_probability", "is_deleted")


@question(
    stage_id=identifier("Stage"),
    stage=text("Stage"),
    description=text("Description"),
    color=color(),
    place=count("Place", "Order of the stage in the pipeline, from 1"),
    default_probability=share("Set value", "The probability of an opportunity in the stage unless it has its own"),
    is_active=flag("Active", "Offered for opportunities"),
    is_closed=flag("Closed", "Opportunities here are won or lost"),
    is_won=flag("Won"),
    auto_actions=text("Automatic actions", "JSON: what is done when an opportunity comes in"),
    version=count("Version", "Moves with every edit"),
)
def set_up() -> Statement:
    """Every stage as it is set up now, in pipeline order."""
    return sa.select(
        stages.c.id.label("stage_id"),
        stages.c.name.label("stage"),
        stages.c.description,
        stages.c.color,
        func.row_number().over(order_by=stages.c.order_index).label("place"),
        (stages.c.default_probability / sa.literal(100.0)).label("default_probability"),
        stages.c.is_active,
        stages.c.is_closed,
        stages.c.is_won,
        sa.cast(stages.c.auto_actions, Text).label("auto_actions"),
        stages.c.version,
    ).order_by(stages.c.order_index)


@question(
    stage_id=identifier("Stage"),
    owner_id=identifier("Owner"),
    owner=text("Owner"),
    closes=text("Closes", "Month of the expected close, overdue, or undated"),
    inherits=flag("Inherits", "Has its probability from the stage"),
    opportunities=count("Open opportunities"),
    without_rate=count("Without a rate", "Their currency has no exchange rate: in no sum"),
    value=money("Value", "Converted at the as-of day's rates, unrounded"),
    expected_revenue=money("Expected revenue", "Sum of value × probability, unrounded"),
    squares=square("Squared values", "Sum of value²"),
    variance=square("Variance", "Sum of value² × p × (1 − p): of what is won where each wins or not by itself"),
)
def open_groups(scope: Scope) -> Statement:
    """Open opportunities added up by stage, month, owner and whether they inherit: enough to say what any other
    default would do, without asking again (see `estimates.what_if`)."""
    deals = v.open_opportunities
    chance = sa.cast(deals.c.probability, sa.Double) / 100
    squared = func.power(sa.cast(deals.c.value, sa.Double), 2)
    closes = sa.case(
        (deals.c.expected_close_date.is_(None), "undated"),
        (deals.c.expected_close_date < scope.as_of, "overdue"),
        else_=func.to_char(deals.c.expected_close_date, "YYYY-MM"),
    )
    sums = (
        sa.select(
            deals.c.stage_id,
            deals.c.assigned_to,
            deals.c.currency,
            closes.label("closes"),
            (deals.c.probability_source == "stage").label("inherits"),
            func.count().label("n"),
            func.sum(deals.c.value).label("value"),
            func.sum(deals.c.value * deals.c.probability).label("hundredfold"),
            func.sum(squared).label("squares"),
            func.sum(squared * chance * (1 - chance)).label("variance"),
        )
        .where(deals.c.valid_to.is_(None), deals.c.stage_id.is_not(None))
        .group_by(deals.c.stage_id, deals.c.assigned_to, deals.c.currency, "closes", "inherits")
        .subquery("sums")
    )
    rates = _rates(scope.currency, scope.as_of)
    rate = func.coalesce(rates.c.rate, 0)
    in_double = sa.cast(rate, sa.Double)
    return (
        sa.select(
            sums.c.stage_id,
            sums.c.assigned_to.label("owner_id"),
            scoped.name_of(sums.c.assigned_to).label("owner"),
            sums.c.closes,
            sums.c.inherits,
            func.sum(sums.c.n).label("opportunities"),
            func.coalesce(func.sum(sums.c.n).filter(rates.c.rate.is_(None)), 0).label("without_rate"),
            func.sum(sums.c.value * rate).label("value"),
            (func.sum(sums.c.hundredfold * rate) / 100).label("expected_revenue"),
            func.sum(sums.c.squares * in_double * in_double).label("squares"),
            func.sum(sums.c.variance * in_double * in_double).label("variance"),
        )
        .select_from(
            sums.outerjoin(rates, rates.c.currency == sums.c.currency).outerjoin(
                v.profiles, v.profiles.c.user_id == sums.c.assigned_to
            )
        )
        .group_by(sums.c.stage_id, sums.c.assigned_to, "owner", sums.c.closes, sums.c.inherits)
        .order_by(sums.c.stage_id, "owner", sums.c.closes, sums.c.inherits)
    )


def _rates(currency: str, on: date) -> sa.TableValuedAlias:
    return v.exchange_rates_between(currency, on, on).table_valued(
        Column("on_day", Date), Column("currency", Text), Column("rate", sa.Numeric), name="rates"
    )


def worth(stage_id: UUID, currency: str, on: date) -> Statement:
    """What the open opportunities of one stage are expected to bring at the day's rates, unrounded, in one row; and how
    many of them have no rate."""
    deals, rates = v.open_opportunities, _rates(currency, on)
    expected = func.sum(deals.c.value * deals.c.probability * rates.c.rate) / 100
    return (
        sa.select(
            func.coalesce(expected, 0).label("expected_revenue"),
            func.count().filter(rates.c.rate.is_(None)).label("without_rate"),
        )
        .select_from(deals.outerjoin(rates, rates.c.currency == deals.c.currency))
        .where(deals.c.valid_to.is_(None), deals.c.stage_id == stage_id)
    )


@question(
    opportunities=count("Opportunities", "Open, won, lost and abandoned"),
    open=count("Open opportunities"),
)
def held(stage_id: UUID) -> Statement:
    """How many opportunities are in the stage: one row."""
    deals = v.opportunities
    is_open = deals.c.status == "open"
    return sa.select(func.count().label("opportunities"), func.count().filter(is_open).label("open")).where(
        deals.c.stage_id == stage_id
    )


@question(name=text("Template"))
def template_names() -> Statement:
    """The email templates that an automatic action may send, by name."""
    templates = v.email_templates.c
    return sa.select(templates.name).where(templates.is_active).distinct().order_by(templates.name)


@question(
    change_id=identifier("Change"),
    at=moment("When"),
    stage=text("Stage"),
    color=color(),
    who=text("Who"),
    what=text("What"),
    reason=text("Why"),
    follows=text("Who followed", "new: later entries; inheriting: also open ones that inherit; all: overridden too"),
    opportunities=count("Opportunities", "Open ones whose probability changed with it"),
    effect=money("Effect", "On the expected revenue of the stage, at the rates of that day"),
    can_be_undone=flag("Can be undone", "The last change of the stage's probability that stands"),
    undone=flag("Undone"),
)
def changes_made() -> Statement:
    """What was done to the stages, the latest first: at most 200."""
    return _every_change().order_by(sa.desc("at"), "stage", "what").limit(_LATEST)  # type: ignore[return-value]


def _every_change() -> sa.CompoundSelect[*tuple[Any, ...]]:
    versions = sa.select(
        history,
        *(
            func.lag(history.c[name]).over(partition_by=history.c.stage_id, order_by=history.c.seq).label(f"was_{name}")
            for name in _FIELDS
        ),
    ).subquery("versions")
    undoing = changes.alias("undoing")
    is_undone = sa.exists().where(undoing.c.undoes == changes.c.id)
    later = changes.alias("later")
    later_undone = changes.alias("later_undone")
    stands_on_it = (
        sa.exists()
        .where(later.c.stage_id == changes.c.stage_id, later.c.made_at > changes.c.made_at, later.c.undoes.is_(None))
        .where(sa.not_(sa.exists().where(later_undone.c.undoes == later.c.id)))
    )
    holds = sa.exists().where(stages.c.id == changes.c.stage_id, stages.c.default_probability == changes.c.probability)
    report_currency = sa.select(v.settings.c.report_currency).scalar_subquery()
    told = (
        changes.c.reason,
        changes.c.follows,
        changes.c.opportunities,
        sa.case((changes.c.currency == report_currency, changes.c.effect)).label("effect"),
        sa.and_(changes.c.undoes.is_(None), sa.not_(is_undone), sa.not_(stands_on_it), holds).label("can_be_undone"),
        is_undone.label("undone"),
    )
    of_versions = (
        sa.select(
            changes.c.id.label("change_id"), versions.c.valid_from.label("at"), versions.c.name.label("stage"),
            versions.c.color, scoped.actor_name(versions.c.changed_by).label("who"),
            _what(versions).label("what"), *told,
        )
        .select_from(
            versions.outerjoin(
                changes, sa.and_(changes.c.stage_id == versions.c.stage_id, changes.c.seq == versions.c.seq)
            ).outerjoin(v.profiles, v.profiles.c.user_id == versions.c.changed_by)
        )
    )  # fmt: skip
    now = history.alias("now")
    of_followers = (
        sa.select(
            changes.c.id, changes.c.made_at, now.c.name, now.c.color, scoped.actor_name(changes.c.made_by),
            func.format("%s %% again", changes.c.probability), *told,
        )
        .select_from(
            changes.join(now, sa.and_(now.c.stage_id == changes.c.stage_id, now.c.valid_to.is_(None))).outerjoin(
                v.profiles, v.profiles.c.user_id == changes.c.made_by
            )
        )
        .where(changes.c.seq.is_(None))
    )  # fmt: skip
    audit = (
        func.app.record_history("crm_pipeline_stages", stages.c.id)
        .table_valued(
            Column("occurred_at", v.Moment), Column("verb", Text), Column("new", JSONB), Column("actor", Uuid),
            Column("reason", Text), name="audit",
        )
        .lateral()
    )  # fmt: skip
    has_actions = func.jsonb_exists(audit.c.new, "auto_actions")
    nothing = [sa.cast(sa.null(), kind) for kind in (Uuid, Text, Integer, v.Money, Boolean, Boolean)]
    of_the_rest = (
        sa.select(
            nothing[0], audit.c.occurred_at, stages.c.name, stages.c.color, scoped.actor_name(audit.c.actor),
            sa.case((has_actions, "automatic actions"), else_="description"), audit.c.reason, *nothing[1:],
        )
        .select_from(
            stages.join(audit, sa.true()).outerjoin(v.profiles, v.profiles.c.user_id == audit.c.actor)
        )
        .where(audit.c.verb == "update", sa.or_(has_actions, func.jsonb_exists(audit.c.new, "description")))
    )  # fmt: skip
    return sa.union_all(of_versions, of_followers, of_the_rest)


def _what(version: sa.Subquery) -> ColumnElement[str]:
    """A version against the one before it, in words."""

    def differs(name: str) -> ColumnElement[bool]:
        return version.c[name].is_distinct_from(version.c[f"was_{name}"])

    def either(name: str, yes: str, no: str) -> ColumnElement[str | None]:
        return sa.case((sa.and_(differs(name), version.c[name]), yes), (differs(name), no))

    edited = func.concat_ws(
        "; ",
        sa.case((differs("name"), func.format("renamed from “%s”", version.c.was_name))),
        sa.case(
            (
                differs("default_probability"),
                func.format("%s %% → %s %%", version.c.was_default_probability, version.c.default_probability),
            )
        ),
        sa.case(
            (
                differs("order_index"),
                func.format("moved from %s to %s", version.c.was_order_index, version.c.order_index),
            )
        ),
        sa.case((differs("color"), func.format("colour %s → %s", version.c.was_color, version.c.color))),
        either("is_active", "activated", "deactivated"),
        either("is_closed", "made a closed stage", "made an open stage"),
        either("is_won", "counts as won", "no longer counts as won"),
    )
    return sa.case(
        (version.c.is_deleted, "deleted"),
        (version.c.was_name.is_(None), func.format("created at %s %%", version.c.default_probability)),
        else_=edited,
    )
