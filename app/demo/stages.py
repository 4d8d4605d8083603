"""The stages, and how their default probabilities were changed."""

import numpy as np
import pyarrow as pa

from app.demo import truth
from app.demo.arrays import NEVER, Ints, rank
from app.demo.clock import Clock, workday
from app.demo.columns import Batch, batch, counts, every, moments, new_ids, pick
from app.demo.people import ADMIN, People

COLOURS = ("#6b7280", "#3b82f6", "#8b5cf6", "#f59e0b", "#10b981", "#ef4444")
DESCRIPTIONS = (
    "Somebody has asked, or we have; nothing is agreed.",
    "There is a date, a budget and somebody who decides.",
    "They have our offer.",
    "We talk about terms.",
    "Signed.",
    "Lost, or given up.",
)


class Stages:
    """Identities of the stages, and their set probabilities at any moment."""

    def __init__(self, rng: np.random.Generator, clock: Clock) -> None:
        self.ids = new_ids(rng, len(truth.STAGES))
        self._created = clock.moment(np.array(clock.start - 30), 9 * 3600)
        days = workday(np.array([clock.today - edit.days_before_anchor for edit in truth.STAGE_EDITS]))
        self.edited = clock.moment(days, 10 * 3600 + 7 * 60)
        """Moments of STAGE_EDITS."""

    def probability(self, stage: Ints, at: Ints) -> Ints:
        """What a stage's default was at each moment."""
        found = np.array(truth.SET_PROBABILITY)[stage]
        for edit, moment in reversed(list(zip(truth.STAGE_EDITS, self.edited, strict=True))):
            found = np.where((stage == edit.stage) & (at < moment), edit.before, found)
        return found

    def rows(self, people: People) -> list[Batch]:
        """The stages and their history; the admin made each edit."""
        every = np.arange(len(truth.STAGES))
        edited = np.array([edit.stage for edit in truth.STAGE_EDITS])
        stage = np.concatenate([every, edited])
        since = np.concatenate([np.full(len(every), self._created), self.edited])
        order = np.lexsort((since, stage))
        stage, since = stage[order], since[order]
        is_last = np.diff(stage, append=len(every)) != 0
        return [
            batch(
                "crm_pipeline_stages",
                id=self.ids,
                description=pick(DESCRIPTIONS, every),
                **_attributes(every, np.array(truth.SET_PROBABILITY)),
                created_at=moments(np.full(len(every), self._created)),
                updated_at=moments(since[is_last]),
                version=counts(rank(stage)[is_last] + 1),
            ),
            batch(
                "crm_stage_history",
                stage_id=pick(self.ids, stage),
                seq=counts(rank(stage) + 1),
                valid_from=moments(since),
                valid_to=moments(np.where(is_last, NEVER, np.append(since[1:], NEVER))),
                **_attributes(stage, self.probability(stage, since)),
                changed_by=pick(people.ids, np.full(len(stage), ADMIN)),
            ),
        ]


def _attributes(stage: Ints, probability: Ints) -> dict[str, pa.Array]:
    return {
        "name": pick(truth.STAGES, stage),
        "order_index": counts(stage + 1),
        "color": pick(COLOURS, stage),
        "is_active": every(value=True, count=len(stage)),
        "is_closed": pa.array(stage >= truth.WON),
        "is_won": pa.array(stage == truth.WON),
        "default_probability": counts(probability),
    }
