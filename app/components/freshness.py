"""An edit made anywhere shows on open pages within two seconds, and takes nothing away that is typed or opened.

A page's body is a fragment with the key BODY. A small script in the browser asks the server once a second, while its
tab is visible, for the data version, and when that has moved it reruns that fragment and an open drawer's; everything
else on the page, and what is typed into these two, stays as it is. Asking costs the server a fraction of what an empty
fragment rerun would.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Final

import streamlit as st
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from streamlit import config
from streamlit.errors import StreamlitAPIException
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app import database
from app.components import drawer
from app.components.fragments import BODY, RECORDS
from app.components.states import failing_well

PATH: Final = "/data-version"

_SCRIPT = """
const every = 1000  // milliseconds; an edit shows within two seconds

export default function ({ data, parentElement, setTriggerValue }) {
  const watch = (parentElement.watch ??= { seen: 0 })
  watch.seen = Math.max(watch.seen, data.version)
  watch.moved = () => setTriggerValue("moved", watch.seen)
  if (watch.stop) return watch.stop

  const look = async () => {
    if (document.hidden) return
    try {
      const answer = await fetch(data.path, { cache: "no-store" })
      const version = Number(await answer.text())
      if (answer.ok && version > watch.seen) {
        watch.seen = version
        watch.moved()
      }
    } catch {}  // the server is away; Streamlit says so
  }
  const timer = setInterval(look, every)
  document.addEventListener("visibilitychange", look)
  watch.stop = () => {
    clearInterval(timer)
    document.removeEventListener("visibilitychange", look)
    watch.stop = undefined
  }
  return watch.stop
}
"""
_watcher = st.components.v2.component("eventos_freshness", js=_SCRIPT)


async def data_version(_request: Request) -> PlainTextResponse:
    """The data version as a number; the app's gate stands before it."""
    return PlainTextResponse(str(database.data_version()))


def live(body: Callable[[], None]) -> None:
    """Draws the body of a page, and again whenever the data change."""
    version = database.data_version()  # before the body reads: at worst it is drawn once too often

    @st.fragment(key=BODY)
    def page() -> None:
        with failing_well(BODY):
            body()

    page()
    _watch(version)


# A fragment of its own: a rerun that begins at the whole app would take an open drawer away for a moment, and with it
# what was typed there.
@st.fragment
def _watch(version: int) -> None:
    path = config.get_option("server.baseUrlPath").strip("/")
    address = f"/{path}{PATH}" if path else PATH
    _watcher(data={"version": version, "path": address}, key="freshness", height=1, on_moved_change=_rerun)


def _rerun() -> None:
    context = get_script_run_ctx()
    if context and not context.fragment_ids_this_run:
        return  # the whole page is about to be drawn: naming parts would take the place of that, and a drawer stay open
    with suppress(StreamlitAPIException):  # a part that is not there yet is about to be drawn
        st.rerun([BODY, RECORDS] if drawer.is_open() else BODY)
