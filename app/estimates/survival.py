"""How stays in a stage go on, estimated so that the stays which are still open count for what they are.

Of the entries into a stage in a period, the ones that ended early are mostly losses; their share among ended stays
alone says less than the truth about what goes on. The Aalen–Johansen estimator lets an open stay count among those at
risk until today and no longer.
"""

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from queries.units import Unit, color, count, identifier, share, text

CONVERSION: Final[Mapping[str, Unit]] = {
    "stage_id": identifier("Stage"),
    "stage": text("Stage"),
    "color": color(),
    "position": count("Position"),
    "entries": count("Entries", "Stays that began in the period"),
    "open": count("Still open", "Of these, the ones that go on: they count until today and no longer"),
    "converted": share("Go on", "Estimated share that goes on to a later stage or to won (Aalen–Johansen)"),
    "lost": share("Lost", "Estimated share that is lost or abandoned from the stage"),
    "back": share("Back", "Estimated share that returns to an earlier stage"),
    "undecided": share("Undecided", "Share whose end nobody has seen yet"),
}
STAGE: Final = tuple(CONVERSION)[:4]
ENDINGS: Final = ("forward", "won", "lost", "back")


def conversion(ends: pd.DataFrame) -> pd.DataFrame:
    """One row per stage, in pipeline order, with the columns of CONVERSION.

    Takes rows of `stage_id, stage, color, position, days, ending, stays`; an ending is one of ENDINGS, or `open` for a
    stay that goes on. The four shares add up to 1; they are missing where no stay of the stage has ended.

    The cumulative incidence of each ending after Aalen and Johansen, "An empirical transition matrix for
    non-homogeneous Markov chains based on censored observations", Scandinavian Journal of Statistics 5 (1978),
    141–150: at every length of stay at which something ended, the share still there before it, times the endings of
    that kind over the stays at risk. Stays of the same length as an ending that are still open count as at risk.
    """
    stages: dict[tuple[Any, ...], dict[int, dict[str, int]]] = {}
    for *stage, days, ending, number in ends[[*STAGE, "days", "ending", "stays"]].itertuples(index=False):
        endings = stages.setdefault(tuple(stage), {}).setdefault(days, {})
        endings[ending] = endings.get(ending, 0) + number
    rows = sorted(
        ((*stage, *_of_one_stage(stays)) for stage, stays in stages.items()), key=lambda row: (row[3], row[1])
    )
    return pd.DataFrame(
        {
            name: pd.Series([row[place] for row in rows], dtype=unit.dtype)
            for place, (name, unit) in enumerate(CONVERSION.items())
        }
    )


def _of_one_stage(stays: Mapping[int, Mapping[str, int]]) -> tuple[float | None, ...]:
    """Entries, how many are open, and the shares that go on, are lost, go back and are undecided."""
    entries = sum(sum(endings.values()) for endings in stays.values())
    still_open = sum(endings.get("open", 0) for endings in stays.values())
    if entries == still_open:
        return entries, still_open, None, None, None, None
    shares = dict.fromkeys(ENDINGS, 0.0)
    staying, at_risk = 1.0, entries
    for _, endings in sorted(stays.items()):
        ended = 0
        for ending in ENDINGS:
            number = endings.get(ending, 0)
            shares[ending] += staying * number / at_risk
            ended += number
        staying *= 1 - ended / at_risk
        at_risk -= ended + endings.get("open", 0)
    return entries, still_open, shares["forward"] + shares["won"], shares["lost"], shares["back"], staying
