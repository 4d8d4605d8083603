"""The browser asks before it leaves a page with something typed and not saved.

What is saved in a draft comes back; what is only in the field that somebody types in does not, so the browser must ask.
"""

from typing import Final

import streamlit as st

_SCRIPT: Final = """
export default function ({ data, parentElement }) {
  const guard = (parentElement.guard ??= {})
  guard.unsaved = data.unsaved
  guard.typing = false
  if (guard.stop) return guard.stop

  const ask = (event) => { if (guard.unsaved || guard.typing) event.preventDefault() }
  const typing = () => { guard.typing = true }
  // Escape closes a drawer; a field says what was typed into it when it is left, and would have no time for it.
  const leave = (event) => { if (event.key === "Escape") document.activeElement?.blur() }
  const place = parentElement.getRootNode().host?.closest("[role=dialog], [data-testid=stMain]") ?? document
  // Streamlit says to the page which appearance it has, and not to what lies above it.
  const page = document.querySelector("[data-testid=stApp]")
  if (place !== document) place.style.colorScheme = getComputedStyle(page).colorScheme
  window.addEventListener("beforeunload", ask)
  place.addEventListener("input", typing)
  window.addEventListener("keydown", leave, true)
  guard.stop = () => {
    window.removeEventListener("beforeunload", ask)
    place.removeEventListener("input", typing)
    window.removeEventListener("keydown", leave, true)
    guard.stop = undefined
  }
  return guard.stop
}
"""
_guard = st.components.v2.component("eventos_unsaved", js=_SCRIPT)


def guard(unsaved: bool, key: str) -> None:
    """For a drawer or a grid: leaving the page asks while something is unsaved, or is being typed around here."""
    _guard(data={"unsaved": unsaved}, key=key, height=1)
