"""The forecast by team and owner along the reporting line, and the numbers that managers name beside it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any, Final
from uuid import UUID

import pandas as pd
import streamlit as st

from app import formats
from app.cache import asking
from app.commands import adjustments
from app.components import drawer, states
from app.components.forecast import NOTHING, attainment, behind_bar, coverage
from app.components.markdown import literal
from app.components.picture import Answer, Setting, behind, nothing_there
from app.components.review import Reading
from app.errors import Invalid, Refused
from app.viewer import Viewer
from queries import forecast
from queries.scope import Period, Scope

TOTAL: Final = "total"  # the key of the row that sums all others
NOBODY: Final = "nobody"  # of the row of opportunities without an owner
_INDENT: Final = "\N{EM SPACE}"
# The cells that open what they sum, and the bar behind each.
_SUMS: Final[Mapping[str, str]] = {
    "won": "won", "weighted": "weighted", "commit": "commit", "best_case": "best_case", "pipeline": "pipeline",
}  # fmt: skip
_AMOUNTS: Final = ("won", "target", "weighted", "commit", "best_case", "pipeline")
_SHOWN: Final = (
    "who", "won", "target", "attainment", "weighted", "adjustment", "commit", "best_case", "pipeline", "coverage",
)  # fmt: skip
_EXPORTED: Final = (
    "owner", "depth", "people", "won", "target", "attainment", "weighted", "adjustment", "commit", "best_case",
    "pipeline", "coverage", "opportunities", "without_rate", "own_won", "own_target", "own_weighted", "own_commit",
    "own_best_case", "own_pipeline",
)  # fmt: skip
_FIELDS: Final = ("owner", "period", "amount", "currency", "reason")
_FORM: Final = "own-number"
_UNDO: Final = "own-number.undo"


@dataclass(frozen=True)
class Line:
    """A row of the table: whose it is, and whether it sums a team."""

    key: str
    name: str
    is_team: bool


def may_adjust(viewer: Viewer, scope: Scope) -> bool:
    """Whether the viewer names numbers: managers and admins do, and nobody does in the past."""
    return viewer.role in ("manager", "admin") and scope.moment is None


def lines(frame: pd.DataFrame) -> tuple[list[Line], pd.DataFrame]:
    """The rows as they are shown, a team's sum above its members, and their amounts.

    Each sum is that of the rows one step further in: a manager who sells has a row of their own below the team's.
    """
    found: list[Line] = []
    rows: list[dict[str, Any]] = []

    def add(key: str, name: str, is_team: bool, indent: int, amounts: Mapping[Any, Any]) -> None:
        found.append(Line(key, name, is_team))
        rows.append({**amounts, "who": _INDENT * indent + name})

    for row in frame.to_dict("records"):
        depth, owner = int(row["depth"]), str(row["owner"])
        if pd.isna(row["owner_id"]):
            add(NOBODY if depth else TOTAL, owner, not depth, depth, row)
            continue
        is_team = int(row["people"]) > 1
        add(str(row["owner_id"]), f"{owner}’s team" if is_team else owner, is_team, depth, row)
        if is_team and (row["own_opportunities"] or not pd.isna(row["own_target"])):
            own = {name: row[f"own_{name}"] for name in _AMOUNTS}
            own["attainment"] = attainment(own["won"], own["target"])
            own["coverage"] = coverage(own["pipeline"], own["won"], own["target"])
            add(str(row["owner_id"]), owner, False, depth + 1, own)
    return found, pd.DataFrame(rows, columns=list(_SHOWN))


def draw(answer: Answer, viewer: Viewer, scope: Scope, setting: Setting) -> None:
    """The card: every line with attainment and coverage, the manager's own number beside the computed one."""
    title = "By team and owner"
    with st.container(border=True, key="card-roll-up", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.subheader(
                title, anchor=False, width="stretch",
                help="Along the reporting line. Each team’s row is the sum of the rows one step further in;"
                " choose an amount to see what is behind it.",
            )  # fmt: skip
            if may_adjust(viewer, scope):
                st.button(
                    "Name your own number",
                    icon=":material/edit_note:",
                    key="own-number.open",
                    on_click=partial(_open_form, ""),
                )
            behind("roll-up", title, answer.only(_EXPORTED), setting)
        with st.container():  # see states.outcome
            _undo_strip()
        if answer.frame.empty:
            nothing_there(setting, NOTHING, "roll-up")
            return
        _table(answer, viewer, scope, setting)
        st.caption(
            f"Forecast for {scope.period.label} · own number: what a manager expects instead,"
            f" kept beside the computed one and scored later · as of {setting.as_of}"
        )


def _table(answer: Answer, viewer: Viewer, scope: Scope, setting: Setting) -> None:
    found, rows = lines(answer.frame)
    numbers = rows.assign(**{name: rows[name].astype("Float64") for name in _SHOWN if name != "who"})
    numbers["attainment"] *= 100
    weights = ["font-weight: 600" if line.is_team else "" for line in found]
    styled = numbers.style.apply(lambda _: weights, axis=0)
    key = drawer.chart_key("roll-up.table")

    def chosen() -> None:
        cells = st.session_state[key].selection.cells
        if drawer.note_pick(key, cells):
            place, name = cells[0]  # one at a time
            line = found[place]
            if name in _SUMS:
                kind = "team" if line.is_team else "own"
                drawer.open_at("sum", f"{_SUMS[name]}|{kind}|{line.key}", f"{line.name}: {_words(answer, name)}")
            elif name == "adjustment" and line.key not in (TOTAL, NOBODY) and may_adjust(viewer, scope):
                _open_form(line.key)

    st.dataframe(
        styled,
        column_config=_config(answer, setting.currency),
        hide_index=True,
        key=key,
        placeholder=formats.MISSING,
        on_select=chosen,
        selection_mode="single-cell",
        height=min(len(rows), 16) * 35 + 38,
        alt="By team and owner: the table",
    )


def _words(answer: Answer, name: str) -> str:
    return answer.columns[name].label.lower()


def _config(answer: Answer, currency: str) -> dict[str, Any]:
    columns = answer.columns

    def amount(name: str) -> Any:
        return st.column_config.NumberColumn(
            f"{columns[name].label} ({currency})", help=columns[name].help or None, format="%,.0f"
        )

    def part(name: str, form: str) -> Any:
        return st.column_config.NumberColumn(columns[name].label, help=columns[name].help or None, format=form)

    return (
        {"who": st.column_config.TextColumn("Team or owner", width=190, pinned=True)}
        | {name: amount(name) for name in (*_AMOUNTS, "adjustment")}
        | {"attainment": part("attainment", "%.0f %%"), "coverage": part("coverage", "%.1f×")}
    )


def team_of(frame: pd.DataFrame, key: str) -> tuple[UUID, ...]:
    """The person and everybody below them in the roll-up."""
    found = [key]
    for person in found:  # grows while it is read: everybody, level by level
        found += frame.loc[frame["manager_id"] == person, "owner_id"].tolist()
    return tuple(map(UUID, found))


def behind_sum(read: Reading, bar: str, whose: str, key: str) -> Answer:
    """The opportunities behind an amount of a line; they add up to it."""
    if key == TOTAL:
        return behind_bar(read, bar)
    if key == NOBODY:
        return behind_bar(read, bar, owners=())
    owners = team_of(read.ask(forecast.roll_up, read.scope), key) if whose == "team" else (UUID(key),)
    return behind_bar(read, bar, owners=owners)


# A number of one's own ----------------------------------------------------------------------------------------


def _open_form(owner: str) -> None:
    st.session_state.pop(f"{_FORM}.errors", None)
    if owner:
        st.session_state[f"{_FORM}.owner"] = owner
    drawer.open_at("own-number", owner, "Your own number")


def form(read: Reading, named: pd.DataFrame, computed: pd.DataFrame) -> None:
    """The drawer: the form for another number, what is computed, and what is named for the period so far."""
    scope, viewer = read.scope, read.viewer
    if st.session_state.pop(f"{_FORM}.done", False):
        st.rerun()  # the drawer closes, and the page says what was done
    people = {key: name for key, name in read.offer.owners.items() if key not in read.offer.teams}
    people.setdefault(str(viewer.id), viewer.full_name)
    periods, currencies = _periods(scope), _currencies(read)
    for name, options in (("owner", people), ("period", periods), ("currency", currencies)):
        if st.session_state.get(f"{_FORM}.{name}") not in options:  # chosen under other filters
            st.session_state.pop(f"{_FORM}.{name}", None)
    errors: dict[str, str] = st.session_state.get(f"{_FORM}.errors", {})

    def label(key: str) -> str:
        return f"{people[key]}’s team" if f"team-{key}" in read.offer.teams else people[key]

    with st.form(_FORM, border=False):
        st.selectbox("Whose", list(people), format_func=label, key=f"{_FORM}.owner")
        _error(errors, "owner")
        st.selectbox("Period", list(periods), key=f"{_FORM}.period")
        _error(errors, "period")
        with st.container(horizontal=True, gap="small"):
            st.text_input("Amount", key=f"{_FORM}.amount", placeholder="1,250,000", width="stretch")
            st.selectbox("Currency", currencies, key=f"{_FORM}.currency", width=110)
        _error(errors, "amount")
        _error(errors, "currency")
        st.text_area(
            "Reason", key=f"{_FORM}.reason", max_chars=2000, placeholder="What do you know that the data don’t?"
        )
        _error(errors, "reason")
        st.form_submit_button(
            "Keep this number",
            type="primary",
            key=f"{_FORM}.save",
            on_click=_save,
            args=(viewer, scope, people, periods),
        )
    _error(errors, "")
    owner = st.session_state.get(f"{_FORM}.owner")
    beside = computed.loc[computed["owner_id"] == owner, "weighted"]
    if len(beside) and owner in people:
        weighted = formats.money(beside.iloc[0], scope.currency)
        st.caption(f"Computed for {literal(label(owner))} in {scope.period.label}: {weighted} weighted.")
    _named(named, viewer, scope)


def _currencies(read: Reading) -> list[str]:
    return [read.scope.currency, *(code for code in read.offer.currencies if code != read.scope.currency)]


def _periods(scope: Scope) -> dict[str, Period]:
    period = scope.period
    following = [Period.of(period.kind, period.end, period.fiscal_year_first_month)] if period.kind else []
    return {one.label: one for one in (period, *following)}


def _error(errors: Mapping[str, str], field: str) -> None:
    if sentence := errors.get(field):
        st.markdown(f":red[:material/error: {literal(sentence)}]")


def _named(named: pd.DataFrame, viewer: Viewer, scope: Scope) -> None:
    st.subheader(f"Named for {scope.period.label}", anchor=False)
    if named.empty:
        st.caption("Nobody has named a number yet.")
    for row in named.to_dict("records"):
        counts = "" if row["is_newest"] == "yes" else " · replaced by a newer one"
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(
                f"**{literal(row['owner'])}: {formats.money(row['own_amount'], row['currency'])}**{counts}  \n"
                f"{literal(row['reason'])}  \n"
                f":gray[{literal(row['author'])}, {formats.day(row['made_on'])}]",
                width="stretch",
            )
            if may_adjust(viewer, scope) and row["author_id"] == str(viewer.id):
                st.button(
                    "Withdraw",
                    key=f"{_FORM}.withdraw.{row['adjustment_id']}",
                    on_click=_withdraw,
                    args=(viewer, row),
                )


def amount_of(typed: str) -> Decimal:
    """The amount that somebody has typed, with or without thousands; raises Invalid where it is none."""
    digits = re.sub(r"[\s,\u00a0\u202f’']", "", typed)
    try:
        amount = Decimal(digits)
    except InvalidOperation:
        raise Invalid("Write the amount as a number, such as 1,250,000.", "amount") from None
    if not amount.is_finite() or amount < 0:
        raise Invalid("The amount is a number from 0 on.", "amount")
    return amount


def _save(viewer: Viewer, scope: Scope, people: Mapping[str, str], periods: Mapping[str, Period]) -> None:
    typed = {name: str(st.session_state.get(f"{_FORM}.{name}") or "").strip() for name in _FIELDS}
    errors: dict[str, str] = {}
    amount = Decimal(0)
    try:
        amount = amount_of(typed["amount"])
    except Invalid as invalid:
        errors["amount"] = str(invalid)
    if not typed["reason"]:
        errors["reason"] = "Say why: the reason is what one learns from later."
    if typed["owner"] not in people:
        errors["owner"] = "Choose whose number this is."
    period = periods.get(typed["period"], scope.period)
    if not errors:
        errors = _refused(
            lambda: adjustments.adjust(
                by=viewer,
                owner=UUID(typed["owner"]),
                period_start=period.start,
                period_end=period.end,
                amount=amount,
                currency=typed["currency"],
                reason=typed["reason"],
            )
        )
    st.session_state[f"{_FORM}.errors"] = errors
    if not errors:
        done = f"{people[typed['owner']]}: {formats.money(amount, typed['currency'])} for {period.label} is kept."
        st.session_state[_UNDO] = done, partial(_take_back, viewer, scope, period, typed["owner"])
        _finished(done)


def _refused(change: Callable[[], None]) -> dict[str, str]:
    try:
        change()
    except Refused as refusal:
        fields = {"owner_id": "owner", "period_start": "period", "period_end": "period"}
        field = getattr(refusal, "field", None) or ""
        field = fields.get(field, field)
        return {field if field in _FIELDS else "": str(refusal)}
    return {}


def _withdraw(viewer: Viewer, row: Mapping[str, Any]) -> None:
    withdraw = partial(
        adjustments.withdraw, by=viewer, adjustment_id=UUID(row["adjustment_id"]), version=int(row["version"])
    )
    errors = _refused(withdraw)
    st.session_state[f"{_FORM}.errors"] = errors
    if not errors:
        done = f"{row['owner']}: {formats.money(row['own_amount'], row['currency'])} is withdrawn."
        again = partial(
            adjustments.adjust, by=viewer, owner=UUID(row["owner_id"]), period_start=_day(row["period_start"]),
            period_end=_day(row["period_end"]), amount=row["own_amount"], currency=row["currency"],
            reason=row["reason"],
        )  # fmt: skip
        st.session_state[_UNDO] = done, again
        _finished(done)


def _day(value: Any) -> date:
    day: date = pd.Timestamp(value).date()
    return day


def _finished(done: str) -> None:
    for name in ("amount", "reason"):
        st.session_state[f"{_FORM}.{name}"] = ""
    st.session_state[f"{_FORM}.done"] = True
    states.attempt(lambda: None, done)


def _take_back(viewer: Viewer, scope: Scope, period: Period, owner: str) -> None:
    """Withdraws the viewer's newest number of that owner and period."""
    with asking(viewer) as ask:
        named = ask(forecast.adjustments, replace(scope, period=period))
    own = named[(named["owner_id"] == owner) & (named["author_id"] == str(viewer.id))]
    if own.empty:
        raise Invalid("The number is gone already.")
    newest = own.iloc[0]
    adjustments.withdraw(by=viewer, adjustment_id=UUID(newest["adjustment_id"]), version=int(newest["version"]))


def _undo_strip() -> None:
    if undo := st.session_state.get(_UNDO):
        done, back = undo
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key="own-number-undo"):
            st.success(literal(done), icon=":material/check:")
            st.button("Undo", icon=":material/undo:", key="own-number.undo-button", on_click=_undone, args=(back,))


def _undone(back: Callable[[], None]) -> None:
    st.session_state.pop(_UNDO, None)
    states.attempt(back, "Undone.")
