"""How rows come out of a frame, for pictures and pages alike."""

from typing import Any

import pandas as pd


def rows(frame: pd.DataFrame) -> list[Any]:
    """The frame's rows, as named tuples."""
    return list(frame.itertuples())


def floats(numbers: pd.Series) -> list[float | None]:
    """Numbers of any kind; None where one is missing."""
    return [None if pd.isna(number) else float(number) for number in numbers]
