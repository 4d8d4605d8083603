"""A list that can be searched: the field, what it finds, and the menu with the list's SQL and files."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app.components.picture import Answer, Setting, behind


def field(key: str, title: str, answer: Answer, setting: Setting, placeholder: str) -> str:
    """Draws the field beside the menu of the answer; returns what is written in it."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        words = st.text_input(
            "Search",
            type="search",
            live="300ms",
            placeholder=placeholder,
            key=f"{key}.search",
            label_visibility="collapsed",
            width="stretch",
        )
        behind(key, title, answer, setting)
    return words or ""


def found(frame: pd.DataFrame, names: Sequence[str], words: str) -> pd.DataFrame:
    """The rows that hold every word in one of these columns, whatever its case."""
    text = frame[list(names)].fillna("").agg(" ".join, axis=1).str.casefold()
    matches = pd.Series(True, frame.index)
    for word in words.casefold().split():
        matches &= text.str.contains(word, regex=False)
    return frame[matches].reset_index(drop=True)
