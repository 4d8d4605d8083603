"""Links that lead somewhere else on this server in the same window, which Streamlit's own links don't.

They are drawn from plain data in the browser: a name is text there, whatever it holds.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

import streamlit as st

_STYLE: Final = """
:host { font-family: var(--st-font); }
.links { display: grid; gap: 8px; grid-template-columns: repeat(auto-fill, minmax(min(230px, 100%), 1fr)); }
a {
  display: flex; flex-direction: column; gap: 2px; padding: 12px 16px; text-decoration: none; overflow-wrap: anywhere;
  color: var(--st-text-color); background: var(--st-secondary-background-color);
  border: 1px solid var(--st-border-color); border-radius: var(--st-base-radius);
}
a:hover, a:focus-visible { border-color: var(--st-primary-color); outline: none; }
a:focus-visible { box-shadow: 0 0 0 2px var(--st-primary-color); }
b { font-weight: 600; }
small { font-size: 13px; color: var(--st-gray-text-color); }
"""

_SCRIPT: Final = """
export default function ({ data, parentElement }) {
  const place = parentElement.querySelector(".links")
  place.replaceChildren(...data.links.map(({ address, title, detail }) => {
    const link = document.createElement("a"), name = document.createElement("b"), more = document.createElement("small")
    link.href = data.base + address
    name.textContent = title
    more.textContent = detail
    name.dir = more.dir = "auto"
    link.append(name, ...(detail ? [more] : []))
    return link
  }))
}
"""
_links = st.components.v2.component("eventos_links", html="<nav class='links'></nav>\n", css=_STYLE, js=_SCRIPT)


@dataclass(frozen=True)
class Link:
    """A path of this server, what it is called, and a line below."""

    address: str
    title: str
    detail: str = ""


def draw(links: Sequence[Link], key: str) -> None:
    """The links as cards, as many abreast as fit."""
    base = st.get_option("server.baseUrlPath").strip("/")
    _links(data={"base": f"/{base}" if base else "", "links": [asdict(link) for link in links]}, key=key)
