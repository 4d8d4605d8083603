"""The company's own people: who reports to whom, who sells how well, who came and who left."""

import math
import unicodedata
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from app.demo import truth, words
from app.demo.arrays import Floats, Ints
from app.demo.clock import Clock
from app.demo.columns import Batch, batch, counts, every, moments, new_ids, pick

ADMIN, HEAD, FIRST_MANAGER = 0, 3, 4
"""Positions: the admin, the head of sales, the first of the managers; the sellers follow them."""

CAREFUL, SHARP, ROSY = range(3)
"""How a seller sets probabilities: leaves the stage's, knows better, hopes."""

HABITS = (SHARP, ROSY, CAREFUL, SHARP, ROSY, CAREFUL, CAREFUL, CAREFUL)
JOINED_DAYS_AGO = (None, None, None, None, None, 900, None, 430)
LEFT_DAYS_AGO = (None, None, None, None, None, None, 300, None)
"""Of every eight sellers; None: since before the beginning, and still here."""

HERE = 1_000_000
"""The last day of those who have not left."""

MANAGER_SELLS = 0.12
"""A manager keeps a few accounts: so many for each of a seller's."""


@dataclass(frozen=True)
class People:
    """Everybody, by position: the admin first, then executives, the head of sales, managers and sellers."""

    ids: pa.Array
    names: list[str]
    roles: list[str]
    manager: Ints
    """Position of the manager; -1 for none."""
    joined: Ints
    left: Ints
    """Last day; HERE for those who have not left."""
    skill: Floats
    """Effect on the log-odds of winning."""
    habit: Ints
    sells: Floats
    """How many accounts compared with a full-time seller."""

    def choose(self, rng: np.random.Generator, days: Ints, *, for_good: bool = False) -> Ints:
        """Somebody who sells on each of these days; `for_good`: and has not left since."""
        here = (self.joined <= days[:, None]) & (self.left > (HERE - 1 if for_good else days[:, None]))
        reach = np.cumsum(here * self.sells, axis=1)
        chosen: Ints = np.argmax(reach > rng.random((len(days), 1)) * reach[:, -1:], axis=1)
        return chosen


def hire(rng: np.random.Generator, clock: Clock, scale: float) -> People:
    """The people for a company of this size: fourteen in the plain one, more with the square root of the scale."""
    plain = sum(map(len, words.STAFF.values()))
    count = max(plain, round(plain * math.sqrt(scale / truth.PLAIN_SCALE)))
    managers = max(len(words.STAFF["manager"]), round(count / 8))
    jobs = ["admin", "executive", "executive", "head", *["manager"] * managers]
    jobs += ["rep"] * (count - len(jobs))
    rep = np.cumsum([job == "rep" for job in jobs]) - 1
    is_rep = np.array([job == "rep" for job in jobs])
    is_manager = np.array([job == "manager" for job in jobs])
    skill = np.where(is_rep, rng.normal(0, truth.SKILL_SIGMA, count), 0.0)
    long_ago = clock.start - 400

    def of_eight(pattern: tuple[int | None, ...], otherwise: int) -> Ints:
        days = [otherwise if ago is None else clock.today - ago for ago in pattern]
        return np.where(is_rep, np.array(days)[rep % 8], otherwise)

    return People(
        ids=new_ids(rng, count),
        names=_names(rng, jobs),
        roles=["manager" if job == "head" else job for job in jobs],
        manager=np.where(is_rep, FIRST_MANAGER + rep % managers, np.where(is_manager, HEAD, -1)),
        joined=of_eight(JOINED_DAYS_AGO, long_ago),
        left=of_eight(LEFT_DAYS_AGO, HERE),
        skill=skill - np.where(is_rep, skill[is_rep].mean(), 0.0),
        habit=np.where(is_rep, np.array(HABITS)[rep % 8], CAREFUL),
        sells=np.where(is_rep, 1.0, np.where(is_manager, MANAGER_SELLS, 0.0)),
    )


def _names(rng: np.random.Generator, jobs: list[str]) -> list[str]:
    """The plain company's names first, each in its job, then others that nobody has yet."""
    known = {job: iter(names) for job, names in words.STAFF.items()}
    taken = {name for names in words.STAFF.values() for name in names}
    return [next(known[job], None) or _somebody_new(rng, taken) for job in jobs]


def _somebody_new(rng: np.random.Generator, taken: set[str]) -> str:
    while True:
        language = rng.choice(("en", "en", "en", "fr", "de", "es"))
        name = f"{rng.choice(words.FIRST_NAMES[language])} {rng.choice(words.LAST_NAMES[language])}"
        if name not in taken:
            taken.add(name)
            return name


_SPELLED = {ord("ß"): "ss", ord("œ"): "oe", ord("\N{LATIN SMALL LETTER DOTLESS I}"): "i"}


def plain_letters(text: str) -> str:
    """The text in the letters of an address: lower case, without accents; what has no Latin letter is left out."""
    decomposed = unicodedata.normalize("NFKD", text.lower().translate(_SPELLED))
    return "".join(letter for letter in decomposed if letter.isascii() and (letter.isalnum() or letter in " -."))


def address(name: str) -> str:
    """What stands before the @: `first.last`."""
    return ".".join(plain_letters(name).replace("-", "").split())


def rows(people: People, clock: Clock) -> list[Batch]:
    """Accounts, profiles and roles."""
    count = len(people.names)
    is_here = people.left == HERE
    created = clock.moment(people.joined, 9 * 3600)
    updated = np.where(is_here, created, clock.moment(np.minimum(people.left, clock.today), 17 * 3600))
    return [
        batch("auth.users", id=people.ids, email=pa.array(f"{address(name)}@{words.DOMAIN}" for name in people.names)),
        batch(
            "crm_profiles",
            user_id=people.ids,
            full_name=pa.array(people.names),
            manager_id=pick(people.ids, people.manager),
            time_zone=every("America/Toronto", count),
            is_active=pa.array(is_here),
            created_at=moments(created),
            updated_at=moments(updated),
            version=counts(np.where(is_here, 1, 2)),
        ),
        batch(
            "crm_user_roles",
            user_id=people.ids,
            role=pa.array(people.roles),
            created_at=moments(created),
            updated_at=moments(created),
        ),
    ]
