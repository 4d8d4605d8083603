"""A small company whose health was scored: two accounts of Rita's and two of Ravi's, one of them churned."""

import json
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection

from tests.tables import given, id_of

CURVE = [
    {"bin_low": 0.0, "bin_high": 0.1, "forecast": 0.05, "rate": 0.04, "low": 0.01, "high": 0.1, "n": 60},
    {"bin_low": 0.8, "bin_high": 0.9, "forecast": 0.85, "rate": 0.9, "low": 0.7, "high": 0.98, "n": 20},
]
WHY_IT_CHURNS = {"base": 40.0, "overdue": 25.5, "satisfaction": -5.5}


def insert(owner: Connection, *, abstains: bool = False) -> date:
    """Inserts the company with today's scores and some of thirty days ago; returns today."""
    today: date = owner.exec_driver_sql("select app.today()").scalar_one()
    before, ahead, long_ago = today - timedelta(days=30), today + timedelta(days=60), today - timedelta(days=700)
    given(owner, "crm_organizers", """
        id    | company_name     | industry | company_size | assigned_to
        acme  | Acme Conferences | arts     | small        | rita
        birch | Birch Festivals  | health   | large        | ravi
        cedar | Cedar Rallies    | arts     | small        | rita
        dune  | Dune Dances      | health   | large        | ravi
    """)  # fmt: skip
    given(owner, "crm_opportunities", """
        id     | organizer_id | name   | stage_id | value   | currency | assigned_to
        gala   | acme         | Gala   | Won      | 1000.01 | CAD      | rita
        summit | acme         | Summit | Won      | 400.02  | CAD      | rita
        expo   | birch        | Expo   | Won      | 800     | CAD      | ravi
        fair   | birch        | Fair   | Lead     | 50      | CAD      | ravi
        retro  | acme         | Retro  | Lost     | 70      | CAD      | rita
    """)  # fmt: skip

    def scores(word: str, day: date, health: int, risk: str, **more: Any) -> None:
        row = {"organizer_id": id_of(word), "scored_on": day, "health_score": health, "churn_risk": risk}
        _insert(owner, "crm_organizer_scores", row | {"engagement_score": 42, "observed_share": 0.55} | more)

    def standing(word: str, health: float, why: dict[str, Any], **more: Any) -> None:
        row = {"organizer_id": id_of(word), "scored_on": today, "health": health, "observed_share": 0.55, "why": why}
        _insert(owner, "crm_organizer_health", row | more)

    likely, unlikely = (None, None) if abstains else (0.6, 0.1)
    scores("acme", before, 55, "medium", parts={"engagement": 60, "clock": 80})
    scores("birch", before, 68, "low", parts={"engagement": 60})
    scores("acme", today, 30, "high", churn_probability=likely, parts={"engagement": 42, "clock": 70})
    scores("birch", today, 72, "low", churn_probability=unlikely, parts={"engagement": 72})
    scores("cedar", today, 20, "high", parts={"engagement": 20})
    scores("dune", today, 10, "high", parts={"engagement": 10})
    seen = {"first_seen_on": long_ago, "last_seen_on": before, "usual_gap_days": 60, "runs_out_on": ahead}
    why = {"health": {"engagement": 12.5, "clock": 17.5}} | ({} if abstains else {"churn": WHY_IT_CHURNS})
    standing("acme", 30, why, churn_probability=likely, parts={"engagement": 42, "clock": 70}, **seen)
    standing("birch", 72, {"health": {"engagement": 72.0}}, churn_probability=unlikely, **seen)
    standing("cedar", 20, {"health": {"engagement": 20.0}})
    standing("dune", 10, {"health": {"engagement": 10.0}}, **seen | {"runs_out_on": today, "churned_on": today})
    owner.exec_driver_sql(
        "update crm_organizers set health_score = kept.health_score, churn_risk = kept.churn_risk, scored_at = now()"
        " from crm_organizer_scores kept where organizer_id = id and scored_on = %s",
        (today,),
    )
    card = {"model": "churn", "as_of": today, "n": 480, "events": 190, "cutoffs": [long_ago, before]}
    judged = {"held_out": [before], "base_rate": 0.42, "auc": 0.92, "brier": 0.11, "brier_base": 0.233, "curve": CURVE}
    nothing = {"held_out": [], "reason": "Too little to learn from: 12 organizers churned, and a model takes 50."}
    _insert(owner, "crm_model_runs", card | (nothing if abstains else judged | {"effects": {"overdue": 1.2}}))
    _insert(owner, "crm_refreshes", {"refreshed_on": today, "finished_at": "now"})
    return today


def _insert(owner: Connection, table: str, row: dict[str, Any]) -> None:
    values = [json.dumps(value) if isinstance(value, dict) or value is CURVE else value for value in row.values()]
    columns, marks = ", ".join(row), ", ".join(["%s"] * len(row))
    owner.exec_driver_sql(f"insert into {table} ({columns}) values ({marks})", tuple(values))
