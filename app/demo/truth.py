"""What is true of the demo company: the causes planted in its data, for models and tests to find again.

Nothing reads these numbers from the database. Wherever a page or a model estimates one of them, the estimate can be
held against the constant here.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from app.demo.arrays import Floats, Ints

SEED: Final = 1
"""The seed of the company that everybody sees unless they ask for another one."""

YEARS: Final = 4
"""How far back opportunities and activities go from the anchor."""

ORGANIZERS: Final = 2_000
"""Organizers for each unit of scale; three contacts, ten opportunities and a hundred activities come with each."""

PLAIN_SCALE: Final = 0.2
"""The company of `eventos demo` without a scale: 400 organizers."""

# Stages ---------------------------------------------------------------------------------------------------

STAGES: Final = ("Lead", "Qualified", "Proposal", "Negotiation", "Won", "Lost")
"""The stages in their order; the first four are open. Their positions here are the codes of the generator."""

LEAD, QUALIFIED, PROPOSAL, NEGOTIATION, WON, LOST = range(6)

SET_PROBABILITY: Final = (10, 25, 50, 75, 100, 0)
"""What the company believes today: each stage's default probability in percent."""

WIN_RATE: Final = (0.11, 0.31, 0.50, 0.61)
"""What is so: wins / (wins + losses) of the opportunities that were ever in the stage. Lead and Proposal are set
about right, Qualified is set too low and Negotiation far too high."""


class StageEdit(NamedTuple):
    """A past change of a stage's default probability; every open opportunity that inherited it went along."""

    days_before_anchor: int
    stage: int
    before: int
    after: int


STAGE_EDITS: Final = (StageEdit(290, NEGOTIATION, 60, 75), StageEdit(18, QUALIFIED, 20, 25))
"""The first edit moved Negotiation away from the truth; the second was a step towards it, not far enough, and lies in
this quarter or the last one."""

ENTRY_SHARE: Final = (0.40, 0.35, 0.25)
"""Share of opportunities that begin as Lead, as Qualified, and with a proposal at once (known customers)."""

SKIPS_PROPOSAL: Final = 0.08
"""Share that goes from Qualified straight to Negotiation: those never "reached" Proposal."""

STEPS_BACK: Final = 0.05
"""Share that returns once to the stage before and comes again; it never sees a stage that it would not have seen."""

REOPENED: Final = 0.025
"""Share that was lost first, then reopened and decided again."""

ABANDONED: Final = 0.06
"""Share that nobody pursues any longer: no activity, no push, after a long while closed as abandoned. Independent of
how the deal would have ended, so that win rates stay what they are."""

DELETED: Final = 0.004
"""Share entered by mistake and deleted within three weeks: left in the history only."""

STAY_MEDIAN_DAYS: Final = (21.0, 28.0, 33.0, 19.0)
"""Median of a stay that ended with a move forward, per open stage. Stays are log-normal and independent."""

STAY_SIGMA: Final = (0.80, 0.70, 0.60, 0.60)
"""Standard deviation of the logarithm of such a stay."""

LOSING_TAKES: Final = 1.8
"""A stay that ends in a loss is this many times as long as one that goes forward: the organizer hesitates."""

ABANDONED_AFTER_DAYS: Final = (150.0, 0.5)
"""Median and log-sigma of the dead time before somebody closes an abandoned opportunity."""

# What moves a win -----------------------------------------------------------------------------------------
# Effects on the log-odds of winning. Each company's intercepts are solved so that WIN_RATE holds exactly on average.

SKILL_SIGMA: Final = 0.40
"""Standard deviation of a seller's effect; the sellers' own effects are `People.skill`."""

SATISFACTION_ON_WIN: Final = 0.55
"""Effect of one point of the organizer's satisfaction."""

SHOCK_SIGMA: Final = 0.30
"""Standard deviation of the effect that all opportunities of a quarter share (their would-be closing quarter). The
shocks of the four years sum to zero."""

RUSH_SHARE: Final = 0.35
"""Share of the wins ripe in the first two months of a quarter that close in its last month instead. Losses don't
wait: closings and the win rate rise together in March, June, September and December."""

WON_ACTIVITY: Final = 1.3
"""An opportunity that will be won sees this many times the activity of one that will not."""

# Closing dates --------------------------------------------------------------------------------------------

PLANNED_DAYS: Final = (88.0, 68.0, 46.0)
"""Median days from creation to the first expected closing date, for Lead, Qualified, Proposal at creation;
hopeful, as people are."""

PLANNED_SIGMA: Final = 0.35
"""Log-sigma of those days."""

PUSHED: Final = 0.80
"""Chance that an open opportunity whose expected closing date has come is given a later one; otherwise the date is
left standing and overdue."""

PUSH_DAYS: Final = (27.0, 0.55)
"""Median and log-sigma of the days of one push, before month ends attract it."""

MONTH_END: Final = 0.40
"""Share of expected closing dates that are put at the end of their month."""

UNDATED: Final = 0.06
"""Share of opportunities created without an expected closing date; they get one at their next move."""

# People's own probabilities -------------------------------------------------------------------------------

OVERRIDDEN: Final = 0.22
"""Chance that a stay in Qualified, Proposal or Negotiation is given a manual probability, for sellers who do that."""

SHARP_INSIGHT: Final = 1.1
"""Sharp sellers know something: their log-odds lie this much on the right side of the stage's true rate."""

ROSY_POINTS: Final = 25
"""Rosy sellers add about this many points to the stage's set value, whatever the deal."""

FOLLOWS_AGAIN: Final = 0.55
"""Chance that the next move puts a manual probability back to the stage's."""

# Organizers, their events, and why they leave -------------------------------------------------------------

CADENCE: Final = (0.5, 1.0, 2.0, 4.0, 6.0, 12.0)
"""Events a year that an organizer may hold."""

CADENCE_SHARE: Final = (0.08, 0.50, 0.24, 0.11, 0.05, 0.02)
"""Share of organizers with each cadence."""

GAP_NOISE: Final = 0.07
"""Standard deviation of an event's day around its regular place, as a share of the usual gap."""

SATISFACTION: Final = (3.9, 0.50)
"""On a scale of 1 to 5: mean and standard deviation over organizers."""

SATISFACTION_VARIES: Final = 0.30
"""Standard deviation of satisfaction from event to event."""

SATISFACTION_UNKNOWN: Final = 0.12
"""Share of past events after which nobody asked."""

ATTENTION_SIGMA: Final = 0.40
"""Standard deviation of the logarithm of how much attention (activity) an organizer is given for the same occasions."""

CHURN_BASE: Final = -1.9
"""Log-odds that a middling organizer leaves within a year: about 13 %."""

CHURN_BY_SATISFACTION: Final = -2.4
"""Effect of a point of satisfaction after the event; the strongest cause."""

CHURN_BY_ATTENTION: Final = -1.2
"""Effect of one unit of log attention; the second."""

CHURN_BY_HANDOVER: Final = 0.7
"""Effect of a change of the account's owner in the year before; the third."""

FADE_DAYS: Final = 120
"""Over so many days before its last event an organizer that leaves answers less and less."""

FADE_FLOOR: Final = 0.25
"""What is left of its activity after that event, as a share."""

HANDED_OVER: Final = 0.16
"""Share of accounts that change their owner once although the owner stays; a leaver's accounts all do."""

SPLIT: Final = 0.08
"""Share of opportunities sold by somebody else than the owner of the organizer."""

UNASSIGNED: Final = 0.5
"""Share of organizers of the last two months that nobody owns yet."""

# Habits ---------------------------------------------------------------------------------------------------

WEEKDAY_SHARE: Final = (0.19, 0.23, 0.22, 0.20, 0.13, 0.02, 0.01)
"""When people work, Monday to Sunday, in Toronto."""

PEAK_HOUR: Final = {"call": 10.4, "email": 16.3, "meeting": 13.8, "note": 17.0, "task": 9.2, "event": 18.5}
"""The middle of each kind of activity's day, in hours of Toronto time, summer and winter."""

HOUR_SIGMA: Final = {"call": 1.1, "email": 1.4, "meeting": 2.0, "note": 1.2, "task": 1.3, "event": 2.0}
"""How widely an activity's hour is spread around that."""


def reached_when_lost(entry: int) -> Floats:
    """The chance that an opportunity which will be lost reaches each open stage, given the stage it begins in.

    It follows from WIN_RATE: of those that enter at `entry`, winners reach every later stage, and so many losers must
    reach stage s that wins / (wins + losses) among them is WIN_RATE[s].
    """
    rate = np.array(WIN_RATE)
    return np.where(np.arange(4) < entry, 0.0, rate[entry] * (1 - rate) / (rate * (1 - rate[entry])))


def intercepts(effects: Floats, groups: Ints, rates: Sequence[float]) -> Floats:
    """The log-odds to add in each group so that the mean chance of the group's members is the group's rate."""
    found = np.zeros(len(rates))
    for group, rate in enumerate(rates):
        members = effects[groups == group]
        for _ in range(50 if len(members) else 0):  # Newton's method; steps are small near a rate between 5 and 95 %
            chance = 1 / (1 + np.exp(-(members + found[group])))
            found[group] += (rate - chance.mean()) / (chance * (1 - chance)).mean()
    return found
