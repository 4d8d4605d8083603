"""An email's HTML as its reader will see it: in a frame that runs nothing, loads nothing and reaches nothing."""

from typing import Final

import streamlit as st

# The frame is sandboxed without a single right, and its own policy loads neither pictures nor styles from elsewhere.
_SCRIPT: Final = """
export default function ({ data, parentElement }) {
  const frame = document.createElement("iframe")
  frame.sandbox = ""
  frame.title = data.title
  frame.style = "width: 100%; height: 100%; border: 0; background: white; border-radius: 0.5rem"
  const policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
  frame.srcdoc = `<meta http-equiv="Content-Security-Policy" content="${policy}"><base target="_blank">` +
    `<body style="font: 15px/1.5 sans-serif; margin: 16px; color: #111">${data.html}`
  parentElement.replaceChildren(frame)
}
"""
_frame = st.components.v2.component("eventos_letter", js=_SCRIPT)


def show(html: str, title: str, key: str, height: int = 360) -> None:
    """Draws the HTML; pictures from elsewhere stay away, so that opening it tells nobody that it was opened."""
    _frame(data={"html": html, "title": title}, key=key, height=height)
