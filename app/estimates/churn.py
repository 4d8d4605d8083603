"""When an organizer has churned, and how likely it is to, from what was known on a day.

Days are whole numbers since 1970-01-01, organizers are numbered from 0. Nobody here subscribes: an organizer of events
churns when it neither wins nor holds an event within 1.5 × its own usual gap between events, never under 180 days.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from app.estimates import logistic
from app.estimates.logistic import Model, ReportCard

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

PATIENCE: Final = 1.5
"""Usual gaps without an event or a win after which an organizer has churned."""

SHORTEST: Final = 180
"""Days below which nobody has churned, however often it used to hold events."""

OWN_GAP: Final = 3
"""Events from which on an organizer has a usual gap of its own."""

HORIZON: Final = 180
"""Days after a cut-off within which an organizer churns or does not; cut-offs lie as far apart, so that each churn
counts once."""

MOST_CUTOFFS: Final = 8
YEAR: Final = 360
"""Days, in whole stretches: what must be known before the first cut-off."""

STRETCH: Final = 90
"""Days for which activities are counted together; cut-offs lie on their edges."""

WINDOW: Final = 720
"""Days for which a satisfaction counts."""

FADING: Final = 2
"""Stretches before the last event or win that attention is not measured in: an organizer that leaves fades in them,
which is a symptom and no cause."""

NEVER: Final = 2**40


@dataclass(frozen=True)
class Past:
    """What happened, with when it was known. Frames without rows are fine, and so are organizers without any."""

    organizers: int
    today: int
    occasions: pd.DataFrame
    """organizer, day, is_event (else a win), value (in one currency, 0 where unknown), known_from, known_until: a win
    that was taken back is known until then (NEVER: still)."""
    answers: pd.DataFrame
    """organizer, day, satisfaction (1–5)."""
    activities: pd.DataFrame
    """organizer, colleague (numbered), stretch (0: the last STRETCH days up to today, 1: those before …), known (the
    stretch in which they were recorded, at most `stretch`), n."""

    @cached_property
    def cutoffs(self) -> list[int]:
        """Past days to learn from, the earliest first: those whose following HORIZON days are over."""
        if self.occasions.empty:
            return []
        first = int(self.occasions["day"].min())
        if not self.activities.empty:
            first = max(first, self.today - STRETCH * (int(self._usual_beginning()) + 1))
        possible = self.today - HORIZON * np.arange(MOST_CUTOFFS, 0, -1)
        return [int(day) for day in possible if day >= first + YEAR]

    @cached_property
    def clocks(self) -> "dict[int, Clock]":
        """By day, those that were asked for."""
        return {}

    def _usual_beginning(self) -> float:
        """The stretch in which activities begin, but for a hundredth: one typed in wrongly begins nothing."""
        by_age = self.activities.groupby("stretch")["n"].sum().sort_index()
        reached = by_age.index[by_age.cumsum() >= 0.99 * by_age.sum()]
        return float(reached[0])


@dataclass(frozen=True)
class Clock:
    """How the clocks of all organizers stand on a day; missing values are nan."""

    first: Floats
    """Day of the first event or win."""
    last: Floats
    """Day of the last one."""
    gap: Floats
    """The usual gap, in days."""
    limit: Floats
    """Days of patience."""

    @property
    def runs_out(self) -> Floats:
        """The day on which the organizer has churned unless something happens before."""
        return self.last + self.limit


def clock(past: Past, day: int) -> Clock:
    """The clocks as of the end of a day."""
    if day not in past.clocks:
        past.clocks[day] = _clock(past, day)
    return past.clocks[day]


def _clock(past: Past, day: int) -> Clock:
    known = _known(past, day)
    last = _latest(known, past.organizers)
    held = known["is_event"].to_numpy(dtype=bool)
    organizer, on = (known[name].to_numpy(dtype=np.int64)[held] for name in ("organizer", "day"))
    order = np.lexsort((on, organizer))
    organizer, gaps = organizer[order], np.diff(on[order], prepend=0)
    is_first = np.diff(organizer, prepend=-1) > 0
    events = np.bincount(organizer[is_first | (gaps > 0)], minlength=past.organizers)  # two on a day are one
    between = ~is_first & (gaps > 0)
    median = pd.Series(gaps[between]).groupby(organizer[between]).median()
    gap = np.full(past.organizers, np.nan)
    gap[median.index.to_numpy(dtype=np.int64)] = median.to_numpy(dtype=float)
    gap[events < OWN_GAP] = np.nan
    company = float(np.nanmedian(gap)) if np.isfinite(gap).any() else np.nan
    gap = np.where(np.isnan(gap), company, gap)
    return Clock(_first(known, past.organizers), last, gap, np.fmax(PATIENCE * gap, SHORTEST))


def features(past: Past, day: int) -> pd.DataFrame:
    """What is known of each organizer at the end of a day, one row each; nothing that came or was recorded later.

    - `satisfaction`: after its latest event within WINDOW days where somebody asked
    - `attention`: log activities in the year until shortly before its last event or win
    - `fading`: activities of the last two stretches among those and the attention before, less the usual share
    - `handover`: 1 where another colleague than before is the one who mostly speaks with it
    - `overdue`: days since the last event or win, as a share of its patience
    - `recency`, `frequency`, `revenue`, `tenure`: logarithms of days since the last, number, value, days since the
      first

    A feature that nothing is known for is missing everywhere and stays out of the model.
    """
    known, count = _known(past, day), past.organizers
    now = clock(past, day)
    organizer = known["organizer"].to_numpy(dtype=np.int64)
    times = np.bincount(organizer, minlength=count)
    back = (past.today - day) // STRETCH
    lately = np.where(np.isnan(now.last), 0, np.nan_to_num(day - now.last) // STRETCH).astype(np.int64) + FADING
    usual, recent, handover = _attention(past, back, lately)
    nobody = past.activities.empty
    answers = past.answers[(past.answers["day"] <= day) & (past.answers["day"] > day - WINDOW)]
    answers = answers.sort_values("day", kind="stable").drop_duplicates("organizer", keep="last")
    satisfaction = np.full(count, np.nan)
    satisfaction[answers["organizer"].to_numpy(dtype=np.int64)] = answers["satisfaction"]
    value = np.bincount(organizer, known["value"].to_numpy(dtype=float), count)
    has_gap = np.isfinite(now.gap)
    with np.errstate(invalid="ignore"):
        return pd.DataFrame(
            {
                "satisfaction": satisfaction,
                "attention": np.full(count, np.nan) if nobody else np.log1p(usual),
                "fading": np.full(count, np.nan) if nobody else np.log1p(usual) - np.log1p(recent),
                "handover": np.full(count, np.nan) if nobody else handover,
                "overdue": np.where(has_gap, (day - now.last) / now.limit, np.nan),
                "recency": np.log1p(day - now.last),
                "frequency": np.log1p(times),
                "revenue": np.log1p(value),
                "tenure": np.log1p(day - now.first),
            }
        )


def at_stake(past: Past, day: int) -> Flags:
    """Who can churn within the HORIZON days after a day: by definition, only those whose clock runs out in them."""
    now = clock(past, day)
    with np.errstate(invalid="ignore"):
        return np.asarray((now.runs_out > day) & (now.runs_out <= day + HORIZON))


def churned(past: Past, day: int) -> Flags:
    """Who churns within the HORIZON days after a day, as far as is known today: whose clock runs out undisturbed.

    A disturbed clock does not run out within them: it begins anew, and no patience is shorter than they are.
    """
    now = clock(past, day)
    later = past.occasions[(past.occasions["day"] > day) & (past.occasions["known_until"] == NEVER)]
    following = np.full(past.organizers, float(NEVER))
    np.minimum.at(following, later["organizer"].to_numpy(dtype=np.int64), later["day"].to_numpy(dtype=float))
    return np.asarray(at_stake(past, day) & (following > now.runs_out))


def samples(past: Past) -> pd.DataFrame:
    """The samples of all cut-offs: the organizers at stake, what was known of them, and whether they churned."""
    frames = []
    for day in past.cutoffs:
        rows = np.flatnonzero(at_stake(past, day))
        known = features(past, day).iloc[rows]
        cutoff = np.datetime64(day, "D").item()
        frames.append(known.assign(cutoff=cutoff, unit=rows, happened=churned(past, day)[rows]))
    empty = pd.DataFrame(columns=["cutoff", "unit", "happened"]).astype({"happened": bool})
    return pd.concat(frames, ignore_index=True) if frames else empty


def learn(past: Past) -> tuple[Model | None, ReportCard]:
    """The model of who churns, or None where it abstains, and its report card."""
    return logistic.learn(samples(past), "organizers churned in the past that is recorded")


def score(model: Model, past: Past, day: int) -> tuple[Floats, pd.DataFrame]:
    """The probability of each organizer to churn within HORIZON days of a day, and what moved it, in points.

    0 and no points where the clock cannot run out by then; missing where nothing was ever won or held, or where the
    organizer has churned already.
    """
    known = features(past, day)
    now, stake = clock(past, day), at_stake(past, day)
    points = model.contributions(known) * stake[:, None]
    probability = np.where(stake, model.probability(known), 0.0)
    probability[np.isnan(now.last) | (now.runs_out <= day)] = np.nan
    return probability, points


def _known(past: Past, day: int) -> pd.DataFrame:
    occasions = past.occasions
    return occasions[(occasions["day"] <= day) & (occasions["known_from"] <= day) & (occasions["known_until"] > day)]


def _latest(known: pd.DataFrame, count: int) -> Floats:
    last = np.full(count, -np.inf)
    np.maximum.at(last, known["organizer"].to_numpy(dtype=np.int64), known["day"].to_numpy(dtype=float))
    return np.where(np.isinf(last), np.nan, last)


def _first(known: pd.DataFrame, count: int) -> Floats:
    first = np.full(count, np.inf)
    np.minimum.at(first, known["organizer"].to_numpy(dtype=np.int64), known["day"].to_numpy(dtype=float))
    return np.where(np.isinf(first), np.nan, first)


def _attention(past: Past, back: int, lately: Ints) -> tuple[Floats, Floats, Floats]:
    """Contacts a year in the two years before `lately` stretches ago, and in the last two; and a change of who."""
    count, year = past.organizers, YEAR // STRETCH
    done = past.activities[past.activities["known"] >= back]
    organizer = done["organizer"].to_numpy(dtype=np.int64)
    ago = done["stretch"].to_numpy(dtype=np.int64) - back
    free = done["free"].to_numpy(dtype=float)
    since = np.full(count, 0)
    np.maximum.at(since, organizer, ago + 1)
    before = (ago >= lately[organizer]) & (ago < lately[organizer] + 2 * year)
    seen = np.clip(since - lately, 0, 2 * year)
    usual = np.divide(
        np.bincount(organizer, free * before, count) * year, seen, out=np.full(count, np.nan), where=seen >= 2
    )
    recent = np.bincount(organizer, free * (ago < 2), count) * year / 2
    colleague, n = done["colleague"].to_numpy(dtype=np.int64), done["n"].to_numpy(dtype=float)
    edge = lately[organizer] - FADING
    spoke = _mostly(organizer, colleague, n * (ago >= edge) * (ago < edge + 2), count)
    earlier = _mostly(organizer, colleague, n * (ago >= edge + 3) * (ago < edge + 7), count)
    both = (spoke >= 0) & (earlier >= 0)
    return usual, recent, np.where(both, 1.0 * (spoke != earlier), np.nan)


def _mostly(organizer: Ints, colleague: Ints, n: Floats, count: int) -> Ints:
    """Who spoke most with each organizer; -1 where nobody did."""
    some = n > 0
    totals = pd.Series(n[some]).groupby([organizer[some], colleague[some]]).sum().reset_index()
    totals.columns = pd.Index(["organizer", "colleague", "n"])
    most = totals.sort_values(["n", "colleague"], kind="stable").drop_duplicates("organizer", keep="last")
    found = np.full(count, -1, dtype=np.int64)
    found[most["organizer"].to_numpy(dtype=np.int64)] = most["colleague"]
    return found
