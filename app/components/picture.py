"""One picture of a page: a card with a title, the chart, what stands behind it, and ways to take it away.

The table behind the chart and the SQL behind the table are one click away; the files carry the filters and the as-of
time.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import pandas as pd
import streamlit as st

from app import formats
from app.charts import style
from app.charts.style import Chart
from app.components import drawer, export, png, states
from app.components.export import Source
from queries.units import Kind, Unit

ICONS: Final = {"Chart": ":material/bar_chart:", "Table": ":material/table_rows:", "SQL": ":material/code:"}
_NUMBERS: Final[Mapping[Kind, str]] = {
    "money": "%,.2f",
    "amount": "%,.2f",
    "count": "%,d",
    "days": "%,.0f",
    "share": "percent",
    "number": "%,.1f",
}


@dataclass(frozen=True)
class Answer:
    """A result with what its columns mean and the statement that it came from."""

    frame: pd.DataFrame
    columns: Mapping[str, Unit]
    sql: Callable[[], str]
    everything: Callable[[], pd.DataFrame] | None = None  # for a file, where `frame` holds the first rows only

    def only(self, names: Sequence[str]) -> "Answer":
        """The same, of which people see these columns alone, in this order."""
        return replace(self, columns={name: self.columns[name] for name in names})


@dataclass(frozen=True)
class Setting:
    """What all pictures of a page have in common: the filters in words, as of when, currency, and whose clock."""

    filters: str
    is_filtered: bool
    moment: datetime  # of the numbers
    time_zone: str
    currency: str

    @property
    def as_of(self) -> str:
        """The moment of the numbers on the viewer's clock."""
        return formats.moment(self.moment, self.time_zone)

    def source(self, title: str) -> Source:
        """What an export of the picture says of itself."""
        return Source(title, self.filters, f"{self.as_of} ({self.time_zone})", self.currency)


@dataclass(frozen=True)
class Empty:
    """What is said in the place of a picture of which there is nothing yet."""

    what: str
    how: str


def picture(
    key: str,
    title: str,
    answer: Answer,
    setting: Setting,
    chart: Callable[[], Chart],
    *,
    note: str,
    empty: Empty,
    is_empty: bool | None = None,
    hint: str | None = None,
    controls: Callable[[], None] | None = None,
    on_pick: Callable[[str], None] | None = None,
) -> None:
    """Draws the card. `note` says what stands behind the chart; `on_pick` gets the customdata of a clicked bar."""
    nothing = answer.frame.empty if is_empty is None else is_empty
    with st.container(border=True, key=f"card-{key}", height="stretch", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.subheader(title, anchor=False, help=hint, width="stretch")
            shown = "Chart" if nothing else _views(key)
            if not nothing:
                _exports(key, title, answer, setting, chart_key=f"card-{key}" if shown == "Chart" else None)
        if controls:
            controls()
        if nothing:
            nothing_there(setting, empty, key)
        elif shown == "Chart":
            _chart(key, chart(), on_pick)
        elif shown == "Table":
            table(key, title, answer, setting)
        else:
            _sql(answer)
        st.caption(f"{note} · as of {setting.as_of}")


def nothing_there(setting: Setting, empty: Empty, key: str) -> None:
    """Says why there is nothing: the filters, where there are some, or that nothing has been entered yet."""
    if setting.is_filtered:
        states.filtered_to_nothing(setting.filters, key)
    else:
        states.nothing_yet(empty.what, empty.how)


def _views(key: str) -> str:
    chosen = st.segmented_control(
        "Shown as",
        list(ICONS),
        format_func=lambda view: ICONS[view],
        default="Chart",
        required=True,
        key=f"{key}.view",
        label_visibility="collapsed",
        persist_state="page",
    )
    return chosen if chosen in ICONS else "Chart"


def _sql(answer: Answer) -> None:
    st.code(answer.sql(), language="sql", height=320, wrap_lines=True)


def _chart(key: str, chart: Chart, on_pick: Callable[[str], None] | None) -> None:
    if on_pick is None:
        st.plotly_chart(chart.figure, key=key, config=style.CONFIG, alt=chart.words, height="stretch")
        return
    chart_key = drawer.chart_key(key)

    def picked() -> None:
        points: list[Any] = st.session_state[chart_key].selection.points
        if drawer.note_pick(chart_key, points):
            data = points[0].get("customdata")
            on_pick(str(data[0] if isinstance(data, list) else data))

    st.plotly_chart(
        chart.figure,
        key=chart_key,
        config=style.CONFIG,
        alt=chart.words,
        height="stretch",  # cards beside each other are equally high, and so are their charts
        on_select=picked,
        selection_mode="points",
    )


def table(
    key: str,
    title: str,
    answer: Answer,
    setting: Setting,
    widths: Mapping[str, int] | None = None,
    columns: Mapping[str, Any] | None = None,
    **options: Any,
) -> Any:
    """The result as a table that can be searched and sorted; cells show text as it is. `widths` are in pixels.

    `columns` are Streamlit's own for those that are more than text or numbers. With `on_select` among the options, what
    is selected.
    """
    shown = [name for name, unit in answer.columns.items() if unit.kind not in ("id", "color")]
    return st.dataframe(
        answer.frame[shown].assign(**{name: _plain(answer.frame[name], unit) for name, unit in _read(answer, shown)}),
        column_config={
            name: _column(
                export.heading(name, answer.columns[name], setting.currency),
                answer.columns[name],
                (widths or {}).get(name),
            )
            for name in shown
        }
        | dict(columns or {}),
        hide_index=True,
        key=f"{key}.table",
        placeholder=formats.MISSING,
        alt=f"{title}: the table",
        **options,
    )


def _read(answer: Answer, shown: list[str]) -> list[tuple[str, Unit]]:
    units = ((name, answer.columns[name]) for name in shown)
    return [(name, unit) for name, unit in units if unit.kind in ("money", "amount", "rate", "moment")]


def _plain(values: pd.Series, unit: Unit) -> pd.Series:
    """Decimals as the numbers that a browser sorts; the exact ones are in the exports."""
    return values if unit.kind == "moment" else values.astype("Float64")


def _column(label: str, unit: Unit, width: int | None) -> Any:
    config = st.column_config
    match unit.kind:
        case "money" | "amount" | "count" | "share" | "days" | "rate" | "number":
            return config.NumberColumn(label, help=unit.help or None, format=_NUMBERS.get(unit.kind, "plain"))
        case "day":
            return config.DateColumn(label, help=unit.help or None, format="YYYY-MM-DD")
        case "moment":
            return config.DatetimeColumn(label, help=unit.help or None, format="YYYY-MM-DD HH:mm")
        case "flag":
            return config.CheckboxColumn(label, help=unit.help or None)
        case _:
            return config.TextColumn(label, help=unit.help or None, width=width)


def behind(key: str, title: str, answer: Answer, setting: Setting) -> None:
    """For a table that stands by itself: its SQL, and the menu with its files."""
    with st.popover(
        "", icon=":material/code:", type="tertiary", help="Show the SQL", key=f"{key}.sql", on_change="rerun"
    ) as sql:
        if sql.open:  # writing it down takes as long as a chart
            _sql(answer)
    _exports(key, title, answer, setting, chart_key=None)


def _exports(key: str, title: str, answer: Answer, setting: Setting, chart_key: str | None) -> None:
    source, columns = setting.source(title), answer.columns
    rows = answer.everything or (lambda: answer.frame)
    on = pd.Timestamp(setting.moment).tz_convert(setting.time_zone).to_pydatetime()
    with st.popover(
        "", icon=":material/download:", type="tertiary", help="Export", key=f"{key}.export", on_change="rerun"
    ) as menu:
        if not menu.open:
            return
        # Made on the click, away from the rerun; the rows are this viewer's already.
        st.download_button(
            "CSV",
            lambda: export.as_csv(rows(), columns, source),
            source.file_name("csv", on),
            export.CSV,
            key=f"{key}.csv",
            on_click="ignore",
            icon=":material/csv:",
            width="stretch",
        )
        st.download_button(
            "Excel",
            lambda: export.as_xlsx(rows(), columns, source),
            source.file_name("xlsx", on),
            export.XLSX,
            key=f"{key}.xlsx",
            on_click="ignore",
            icon=":material/table:",
            width="stretch",
        )
        if chart_key:
            png.button(chart_key, source, source.file_name("png", on), key=f"{key}.png")
        st.caption("With the filters and the as-of time in it.")
