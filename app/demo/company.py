"""What the whole company shares: its calendar, people, stages, rates, and the ups and downs of its market."""

import datetime as dt
from dataclasses import dataclass

import numpy as np

from app.demo import people as staff
from app.demo import truth
from app.demo.arrays import Floats
from app.demo.clock import Clock
from app.demo.money import Rates, quarters_since, walk
from app.demo.people import People
from app.demo.stages import Stages


@dataclass(frozen=True)
class Company:
    """The company before it has a single organizer."""

    clock: Clock
    people: People
    stages: Stages
    rates: Rates
    shock: Floats
    """Effect of each quarter on the log-odds of every win, from the first quarter on."""


def found(rng: np.random.Generator, anchor: dt.date, scale: float) -> Company:
    """A company with people for this scale, its years ending at the anchor."""
    clock = Clock(anchor)
    people = staff.hire(rng, clock, scale)
    stages = Stages(rng, clock)
    rates = walk(rng, clock)
    seen = int(quarters_since(clock, clock.today)) + 1
    shock = rng.normal(0, truth.SHOCK_SIGMA, seen + 4)  # offers of today ripen within a year
    return Company(clock, people, stages, rates, shock - shock[:seen].mean())
