"""Short lists whose every row leads somewhere: a name, what is said of it, a number, and the page behind it.

They are drawn from plain data in the browser: a name is text there, whatever it holds. A click changes the page as the
navigation does; the address is a link's own, so that it can be copied and opened beside.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

import streamlit as st

from app.components.shell import PAGES

_STYLE: Final = """
:host { font-family: var(--st-font); }
ul { list-style: none; margin: 0; padding: 0; display: flex; flex-direction: column; }
li + li a { border-top: 1px solid var(--st-border-color); }
a {
  display: grid; grid-template-columns: minmax(0, 1fr) auto; column-gap: 12px; padding: 7px 4px; align-items: baseline;
  text-decoration: none; color: var(--st-text-color); border-radius: var(--st-base-radius);
}
a:hover b, a:focus-visible b { color: var(--st-primary-color); text-decoration: underline; }
a:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: -2px; }
b { font-weight: 600; font-size: 15px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
span { font-size: 15px; font-weight: 600; font-variant-numeric: tabular-nums; text-align: right; }
small {
  grid-column: 1 / -1; font-size: 13px; line-height: 1.35; color: var(--st-gray-text-color); overflow-wrap: anywhere;
}
"""

_SCRIPT: Final = """
export default function ({ data, parentElement, setTriggerValue }) {
  const list = parentElement.querySelector("ul")
  list.replaceChildren(...data.rows.map(({ address, title, detail, number }, place) => {
    const row = document.createElement("li"), link = document.createElement("a")
    const name = document.createElement("b"), amount = document.createElement("span")
    const more = document.createElement("small")
    link.href = data.base + address
    name.textContent = name.title = title
    amount.textContent = number
    more.textContent = detail
    name.dir = more.dir = "auto"
    link.append(name, amount, ...(detail ? [more] : []))
    link.onclick = (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return
      event.preventDefault()
      setTriggerValue("opened", place)
    }
    row.append(link)
    return row
  }))
}
"""
_list = st.components.v2.component("eventos_findings", html="<ul></ul>\n", css=_STYLE, js=_SCRIPT)


@dataclass(frozen=True)
class Finding:
    """A row: `page` is the name of the page that it leads to, `query` what stands in its address."""

    title: str
    detail: str
    number: str
    page: str
    query: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Where the row leads."""
        query = urlencode([(name, value) for name, values in self.query.items() for value in values])
        return f"/{self.page}?{query}" if query else f"/{self.page}"


def draw(rows: Sequence[Finding], key: str) -> None:
    """The rows below each other."""
    base = st.get_option("server.baseUrlPath").strip("/")

    def opened() -> None:
        place: Any = st.session_state[key].opened
        if place is not None and 0 <= place < len(rows):
            chosen = rows[place]
            st.switch_page(
                PAGES / f"{chosen.page}.py",
                query_params=[(name, value) for name, values in chosen.query.items() for value in values],
            )

    shown = [{"address": row.address, "title": row.title, "detail": row.detail, "number": row.number} for row in rows]
    _list(data={"base": f"/{base}" if base else "", "rows": shown}, key=key, on_opened_change=opened)
