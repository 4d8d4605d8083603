"""What the numbers of the Health page and of an organizer's own page are, recomputed in plain Python beside decoys."""

# ruff: noqa: E501 (tables and statements are read across)

import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from statistics import median
from typing import Any

import pytest
from sqlalchemy import Connection

from queries import health
from tests.conftest import Once
from tests.queries.compare import is_rounded, records
from tests.queries.conftest import TODAY, Ask, owned_by
from tests.queries.history import at, happens
from tests.tables import given, id_of, shows

RATES = {"CAD": Fraction(1), "USD": Fraction(3, 2), "EUR": Fraction(2)}
OWNERS = {"rita": ["rita"], "max": ["rita", "ravi"], "eve": ["rita", "ravi", "olaf", None]}
INDUSTRIES = ["Festivals", "Congresses", None]


class World:
    """Forty organizers with scores on three days, wins, and everything that could be counted by mistake."""

    def __init__(self, owner: Connection, seed: int = 1) -> None:
        rng = random.Random(seed)  # noqa: S311  (made up)
        self.organizers: dict[str, dict[str, Any]] = {}
        self.scores: dict[tuple[str, date], dict[str, Any]] = {}
        self.wins: list[dict[str, Any]] = []
        for number in range(40):
            name = f"client {number}"
            one = {
                "name": name,
                "owner": rng.choice(["rita", "rita", "ravi", "olaf", None]),
                "industry": rng.choice(INDUSTRIES),
                "status": "archived" if number % 13 == 0 else "active",
                "churned_on": TODAY - timedelta(days=rng.randint(0, 400)) if number % 7 == 0 else None,
                "first_seen_on": TODAY - timedelta(days=rng.randint(100, 1000)),
            }
            self.organizers[name] = one
            owner.exec_driver_sql(
                "insert into crm_organizers (id, company_name, industry, status, assigned_to) values (%s, %s, %s, %s, %s)",
                (id_of(name), name, one["industry"], one["status"], one["owner"] and id_of(one["owner"])),
            )
            if number % 11 == 5:
                continue  # entered since the last refresh
            for day in (TODAY - timedelta(days=40), TODAY - timedelta(days=8), TODAY):
                kept = rng.choice([None, rng.randint(0, 1000) / 1000])
                self.scores[name, day] = {"health": rng.randint(0, 100), "risk": rng.choice(["low", "medium", "high"]),
                                          "chance": kept, "parts": {"clock": rng.randint(0, 100), "trend": 50}}  # fmt: skip
                owner.exec_driver_sql(
                    "insert into crm_organizer_scores values (%s, %s, 1, %s, %s, %s, 1, %s::jsonb)",
                    (id_of(name), day, *list(self.scores[name, day].values())[:3],
                     f'{{"clock": {self.scores[name, day]["parts"]["clock"]}, "trend": 50}}'),
                )  # fmt: skip
            owner.exec_driver_sql(
                "insert into crm_organizer_health (organizer_id, scored_on, health, observed_share, churned_on, first_seen_on)"
                " values (%s, %s, 50, 1, %s, %s)",
                (id_of(name), TODAY, one["churned_on"], one["first_seen_on"]),
            )
            for _ in range(rng.randint(0, 4)):
                win = {
                    "organizer": name,
                    "value": Fraction(rng.randint(1, 10**6), 100),
                    "currency": rng.choice(["CAD", "USD", "EUR", "JPY"]),
                    "day": TODAY - timedelta(days=rng.choice([0, 1, 364, 365, 366, rng.randint(0, 500)])),
                    "stage": rng.choice(["Won", "Won", "Won", "Lost"]),
                    "seller": rng.choice(["rita", "ravi"]),
                }
                self.wins.append(win)
                happens(
                    owner,
                    f"""
                    at             | deal                  | organizer_id | assigned_to     | stage_id       | value                | currency          | actual_close_date
                    2024-03-01 09:00 | win {len(self.wins)} | {name}       | {win["seller"]} | {win["stage"]} | {float(win["value"])} | {win["currency"]} | {win["day"]}
                    """,
                )
        # A refresh that has only begun: none of its rows counts yet.
        owner.exec_driver_sql("insert into crm_refreshes values (%s, null)", (TODAY + timedelta(days=1),))

    def standing(self, who: str, as_of: date = TODAY) -> list[dict[str, Any]]:
        """What there is to know of each account that the person sees, not archived."""
        days = [day for _, day in self.scores if day <= as_of]
        latest = max(days) if days else None
        found = []
        for name, one in self.organizers.items():
            if one["status"] == "archived" or one["owner"] not in OWNERS[who]:
                continue
            score = self.scores.get((name, latest)) if latest else None
            won = [
                win for win in self.wins
                if win["organizer"] == name and win["stage"] == "Won" and as_of - timedelta(days=365) < win["day"] <= as_of
            ]  # fmt: skip
            value = sum((win["value"] * RATES[win["currency"]] for win in won if win["currency"] in RATES), Fraction(0))
            chance = Fraction(str(score["chance"])) if score and score["chance"] is not None else Fraction(0)
            has_health = any(key == name for key, _ in self.scores)
            churned_on = one["churned_on"] if has_health and one["churned_on"] and one["churned_on"] <= as_of else None
            found.append(
                {**one, "score": score, "value": value, "at_risk": value * chance, "churned_on": churned_on,
                 "without_rate": sum(win["currency"] == "JPY" for win in won), "has_health": has_health}
            )  # fmt: skip
        return found


@pytest.fixture
def world(company: Connection, once: Once) -> World:
    def world() -> World:
        company.exec_driver_sql("delete from crm_organizers")
        return World(company)

    made: World = once("world", world)
    return made


@pytest.mark.parametrize("who", ["rita", "max", "eve"])
@pytest.mark.parametrize(
    "as_of", [TODAY, TODAY - timedelta(days=7), TODAY - timedelta(days=20), TODAY - timedelta(days=90)]
)
def test_headline(world: World, ask: Ask, who: str, as_of: date) -> None:
    row = records(ask(who, health.headline, as_of=as_of))[0]
    every = world.standing(who, as_of)
    kept = [one for one in every if one["churned_on"] is None]
    scored = [one for one in kept if one["score"]]
    assert row["organizers"] == len(kept)
    assert row["unscored"] == sum(one["score"] is None for one in every)
    assert row["churned"] == len(every) - len(kept)
    assert row["median_health"] == (median(one["score"]["health"] for one in scored) if scored else None)
    assert row["high_risk"] == sum(one["score"]["risk"] == "high" for one in scored)
    assert is_rounded(row["value"], sum((one["value"] for one in kept), Fraction(0)))
    assert is_rounded(row["revenue_at_risk"], sum((one["at_risk"] for one in kept), Fraction(0)))
    assert row["without_rate"] == sum(one["without_rate"] for one in kept)


@pytest.mark.parametrize("who", ["rita", "max", "eve"])
def test_risk_adds_up_to_the_headline_and_the_accounts_to_the_risk(world: World, ask: Ask, who: str) -> None:
    kept = [one for one in world.standing(who) if one["churned_on"] is None and one["score"]]
    rows = records(ask(who, health.risk))
    assert [row["risk"] for row in rows] == ["low", "medium", "high"]
    for row in rows:
        these = [one for one in kept if one["score"]["risk"] == row["risk"]]
        assert row["organizers"] == len(these)
        assert is_rounded(row["revenue_at_risk"], sum((one["at_risk"] for one in these), Fraction(0)), Fraction(1, 100))
        listed = ask(who, health.accounts, row["risk"])
        assert sorted(listed["organizer"]) == sorted(one["name"] for one in these)
        assert (listed["total"] == len(these)).all()
        assert abs(sum(listed["revenue_at_risk"], Decimal(0)) - row["revenue_at_risk"]) <= Decimal("0.01")
        assert abs(sum(listed["value"], Decimal(0)) - row["value"]) <= Decimal("0.01")


@pytest.mark.parametrize("by", ["industry", "owner"])
def test_distribution(world: World, ask: Ask, by: health.Segment) -> None:
    kept = [one for one in world.standing("eve") if one["churned_on"] is None and one["score"]]
    label = {
        "industry": lambda one: one["industry"] or "(not said)",
        "owner": lambda one: one["owner"].title() if one["owner"] else "(nobody)",
    }[by]
    rows = records(ask("eve", health.distribution, by))
    assert sum(row["organizers"] for row in rows) == len(kept)
    for row in rows:
        segment = [one["score"]["health"] for one in kept if label(one) == row["segment"]]
        assert row["organizers"] == sum(row["lowest"] <= score <= row["highest"] for score in segment)
        assert row["median_health"] == median(segment)
        listed = ask("eve", health.accounts, None, row["band"], by, row["segment"])
        assert len(listed) == row["organizers"]


def test_accounts_are_sorted_as_asked_and_cut_off(world: World, ask: Ask) -> None:
    kept = [one for one in world.standing("eve") if one["churned_on"] is None]
    frame = ask("eve", health.accounts, None, None, None, None, False, "health", 5)
    assert frame["health"].tolist() == sorted(one["score"]["health"] for one in kept if one["score"])[:5]
    assert (frame["total"] == len(kept)).all()
    gone = ask("eve", health.accounts, None, None, None, None, True)
    assert sorted(gone["organizer"]) == sorted(one["name"] for one in world.standing("eve") if one["churned_on"])
    row = records(ask("rita", health.accounts))[0]
    before = world.scores[row["organizer"], TODAY - timedelta(days=40)]["health"]
    assert row["change"] == world.scores[row["organizer"], TODAY]["health"] - before
    only = ask("eve", health.accounts, industries=("Festivals",), owners=owned_by("rita"))
    assert set(only["industry"]) == {"Festivals"}
    assert set(only["owner"]) == {"Rita"}


def test_movers(world: World, ask: Ask) -> None:
    start, end = TODAY - timedelta(days=9), TODAY - timedelta(days=1)
    rows = records(ask("eve", health.movers, start, end))
    wanted = {}
    for one in world.standing("eve"):
        was, now = (world.scores.get((one["name"], TODAY - timedelta(days=days))) for days in (40, 8))
        if was and now and (was["health"], was["risk"]) != (now["health"], now["risk"]):
            part = "clock" if was["parts"]["clock"] != now["parts"]["clock"] else None
            wanted[one["name"]] = (now["health"] - was["health"], part)
    assert {row["organizer"]: (row["change"], row["part"]) for row in rows} == wanted
    changes = [abs(row["change"]) for row in rows]
    assert changes == sorted(changes, reverse=True)


def test_the_trend_has_a_point_a_week(world: World, ask: Ask) -> None:
    rows = records(ask("max", health.headline_trend))
    assert [row["day"].date() for row in rows] == [TODAY - timedelta(weeks=week) for week in range(12, -1, -1)]
    for row in rows:
        kept = [one for one in world.standing("max", row["day"].date()) if one["churned_on"] is None]
        scored = [one["score"] for one in kept if one["score"]]
        assert row["median_health"] == (median(score["health"] for score in scored) if scored else None)
        assert row["high_risk"] == sum(score["risk"] == "high" for score in scored)


def test_retention(world: World, ask: Ask) -> None:
    def quarter(day: date, later: int = 0) -> date:
        months = day.year * 12 + (day.month - 1) // 3 * 3 + 3 * later
        return date(months // 12, months % 12 + 1, 1)

    rows = records(ask("eve", health.retention))
    assert rows
    known = [one for one in world.standing("eve") if one["has_health"]]
    for row in rows:
        cohort = row["cohort"].date()
        these = [one for one in known if quarter(one["first_seen_on"]) == cohort]
        end = quarter(cohort, row["quarters"] + 1)
        assert end <= TODAY + timedelta(days=1)
        assert row["organizers"] == len(these)
        assert row["kept"] == sum(one["churned_on"] is None or one["churned_on"] >= end for one in these)
        assert row["share"] == pytest.approx(row["kept"] / row["organizers"])


# An organizer's own page ----------------------------------------------------------------------------------------


@pytest.fixture
def acme(company: Connection) -> Connection:
    """Acme with something of everything; its like at a colleague's, who is not to be mixed in."""
    for name in ("acme", "beta"):
        company.exec_driver_sql(
            "insert into crm_organizer_health (organizer_id, scored_on, health, observed_share, churn_probability, parts, why)"
            " values (%s, '2025-11-05', 36.5, 0.8, 0.127, '{\"engagement\": 80, \"clock\": 25}',"
            ' \'{"health": {"clock": 6.5, "engagement": 30.0}, "churn": {"base": 20.0, "satisfaction": -9.0, "overdue": 1.7}}\')',
            (id_of(name),),
        )
    company.exec_driver_sql(
        "update crm_organizers set event_history = %s::jsonb",
        (f'[{{"event_id": "{id_of("gala")}", "event_date": "2025-05-01", "satisfaction": 4.5, "revenue": 1200}},'
         ' {"event_date": "2023-05-01", "satisfaction": 9}, "nonsense"]',),
    )  # fmt: skip
    given(
        company,
        "events",
        """
        id   | organizer_id | venue | attendance | name | event_date
        gala | acme         | Hall  | 300        | Gala | 2025-05-01
        expo | acme         |       |            | Expo | 2199-05-01
        """,
    )
    given(
        company,
        "crm_contacts",
        """
        id   | organizer_id | full_name | email     | is_primary | is_decision_maker
        cleo | acme         | Cleo      | c@acme.ca | false      | true
        abel | acme         | Abel      | a@acme.ca | true       | false
        """,
    )
    happens(
        company,
        """
        at               | deal  | organizer_id | assigned_to | value | currency | stage_id
        2025-07-01 09:00 | Won 1 | acme         | ravi        | 100   | USD      | Lead
        2025-08-01 09:00 | Won 1 |              |             |       |          | Won
        2025-09-01 09:00 | Open  | acme         | rita        | 50    |          | Proposal
        """,
    )
    at(
        company,
        "2025-10-01 10:00",
        f"insert into crm_activities (organizer_id, user_id, type, subject, activity_date) values ('{id_of('acme')}', '{id_of('rita')}', 'call', 'Talk', '2025-10-01 10:00+00')",
        f"insert into crm_activities (organizer_id, user_id, type, is_task, task_status, subject, due_date, activity_date) values ('{id_of('acme')}', '{id_of('rita')}', 'task', true, 'pending', 'Send offer', '2020-01-01', '2020-01-01')",
        f"insert into crm_activities (organizer_id, user_id, type, subject, activity_date) values ('{id_of('acme')}', '{id_of('ravi')}', 'meeting', 'Ahead', '2200-01-01')",
        f"insert into crm_notes (organizer_id, created_by, content, created_at) values ('{id_of('acme')}', '{id_of('rita')}', 'They like tea', '2025-10-02 10:00+00')",
        f"insert into crm_documents (organizer_id, uploaded_by, file_name, file_type, file_size, storage_path, created_at) values ('{id_of('acme')}', '{id_of('rita')}', 'a.pdf', 'application/pdf', 7, 'x', '2025-10-03 10:00+00')",
    )
    return company


def test_why_adds_up(acme: Connection, ask: Ask) -> None:
    shows(
        ask("rita", health.why, id_of("acme")),
        """
        kind   | observed | part         | points
        health | 80       | engagement   | 30
        health | 25       | clock        | 6.5
        churn  |          | base         | 20
        churn  |          | satisfaction | -9
        churn  |          | overdue      | 1.7
        """,
    )


def test_who_it_is_and_how_it_stands(acme: Connection, ask: Ask) -> None:
    row = records(ask("rita", health.organizer, id_of("acme")))[0]
    assert (row["organizer"], row["owner"], row["health"], row["churn_probability"]) == ("Acme", "Rita", 36.5, 0.127)
    assert row["value"] == Decimal("150.00")
    assert row["revenue_at_risk"] == Decimal("19.05")


def test_its_events_are_united_by_their_id(acme: Connection, ask: Ask) -> None:
    shows(
        ask("rita", health.events, id_of("acme")),
        """
        name      | event_date          | venue | attendance | revenue | satisfaction | is_past
        Expo      | 2199-05-01 00:00:00 |       |            |         |              | false
        Gala      | 2025-05-01 00:00:00 | Hall  | 300        | 1200    | 4.5          | true
        (no name) | 2023-05-01 00:00:00 |       |            |         |              | true
        """,
    )


def test_its_opportunities(acme: Connection, ask: Ask) -> None:
    shows(
        ask("rita", health.opportunities, id_of("acme")),
        """
        name  | owner | stage    | status | closed_on           | amount | currency | value
        Open  | Rita  | Proposal | open   |                     | 50     | CAD      | 50
        Won 1 | Ravi  | Won      | won    | 2025-08-01 00:00:00 | 100    | USD      | 150
        """,
    )
    shows(
        ask("rita", health.opportunities, id_of("acme"), as_of=date(2025, 7, 15)),
        "name  | stage | status | value\nWon 1 | Lead  | open   | 150",
    )


def test_its_timeline_holds_everything_that_happened(acme: Connection, ask: Ask) -> None:
    shows(
        ask("rita", health.timeline, id_of("acme")),
        """
        kind         | person | title
        document     | Rita   | a.pdf
        written note | Rita   | They like tea
        call         | Rita   | Talk
        stage        |        | Open → Proposal
        won          |        | Won 1 → Won
        stage        |        | Won 1 → Lead
        event        |        | Gala
        event        |        | (no name)
        """,
    )
    first = ask("rita", health.timeline, id_of("acme"), None, 3)
    rest = ask("rita", health.timeline, id_of("acme"), first["at"].min().to_pydatetime(), 3)
    assert rest["title"].tolist() == ["Open → Proposal", "Won 1 → Won", "Won 1 → Lead"]


def test_what_hangs_on_it(acme: Connection, ask: Ask) -> None:
    acme_id = id_of("acme")
    shows(
        ask("rita", health.contacts, acme_id),
        "name | is_primary | is_decision_maker\nAbel | true | false\nCleo | false | true",
    )
    shows(ask("rita", health.notes, acme_id), "content       | person\nThey like tea | Rita")
    shows(ask("rita", health.documents, acme_id), "file_name | size | person\na.pdf     | 7    | Rita")
    shows(
        ask("rita", health.next_steps, acme_id),
        "kind    | subject    | person | is_overdue\ntask    | Send offer | Rita   | true\nmeeting | Ahead      | Ravi   | false",
    )
    assert ask("rita", health.would_help, acme_id)["help"].tolist() == ["unreached", "silent"]


@pytest.mark.parametrize(
    "question",
    [
        *(health.organizer, health.score_history, health.events, health.contacts, health.timeline, health.notes),
        *(health.documents, health.next_steps, health.why, health.would_help, health.opportunities),
    ],
    ids=lambda question: question.name,
)
def test_nobody_sees_another_s_organizer(acme: Connection, ask: Ask, question: Any) -> None:
    acme.exec_driver_sql(
        "insert into crm_organizer_scores (organizer_id, scored_on, engagement_score) values (%s, '2025-11-01', 1)",
        (id_of("acme"),),
    )
    assert len(ask("rita", question, id_of("acme"))) > 0
    if question is health.opportunities:  # a colleague's own deal on it is the colleague's too
        assert ask("ravi", question, id_of("acme"))["name"].tolist() == ["Won 1"]
    elif question not in (health.next_steps, health.timeline):
        assert len(ask("ravi", question, id_of("acme"))) == 0
    assert len(ask("olaf", question, id_of("acme"))) == 0


def test_what_the_models_may_be_believed(owner: Connection, ask: Ask) -> None:
    owner.exec_driver_sql(
        "insert into crm_model_runs (model, as_of, n, events, cutoffs, held_out, base_rate, auc, brier, brier_base, curve, effects, reason)"
        " values ('churn', '2025-11-01', 100, 60, '{2025-01-01,2025-07-01}', '{2025-07-01}', 0.6, 0.8, 0.1, 0.24,"
        ' \'[{"bin_low": 0.5, "bin_high": 0.6, "forecast": 0.55, "rate": 0.5, "low": 0.4, "high": 0.6, "n": 100}]\','
        ' \'{"satisfaction": -0.5, "overdue": 2}\', null),'
        " ('churn', '2025-11-06', 1, 1, '{}', '{}', null, null, null, null, '[]', '{}', 'Later'),"
        " ('win', '2025-11-01', 10, 6, '{}', '{}', null, null, null, null, '[]', '{}', 'Too little.')"
    )
    for who in ("rita", "max", "eve", "ada"):
        shows(
            ask(who, health.report_cards),
            """
            model | n   | events | cutoffs | first_cutoff        | held_out_from       | auc | brier | reason      | abstained
            churn | 100 | 60     | 2       | 2025-01-01 00:00:00 | 2025-07-01 00:00:00 | 0.8 | 0.1   |             | false
            win   | 10  | 6      | 0       |                     |                     |     |       | Too little. | true
            """,
        )
    shows(ask("rita", health.calibration, "churn"), "forecast | rate | low | high | n\n0.55 | 0.5 | 0.4 | 0.6 | 100")
    shows(ask("rita", health.effects, "churn"), "feature | effect\noverdue | 2\nsatisfaction | -0.5")
    assert len(ask("rita", health.effects, "win")) == 0


def test_the_insight_of_an_opportunity(
    acme: Connection, ask: Ask, reading_as: Callable[..., AbstractContextManager[Connection]]
) -> None:
    del reading_as
    assert len(ask("rita", health.insight, id_of("Open"))) == 0
    acme.exec_driver_sql(
        "update crm_opportunities set scored_at = now(), ai_insights ="
        ' \'{"basis": "B", "next_action": "N", "risk_factors": ["a", "b"], "recommendations": "odd"}\''
    )
    row = records(ask("rita", health.insight, id_of("Open")))[0]
    assert (row["basis"], row["next_action"], row["risk_factors"], row["recommendations"]) == ("B", "N", "a\nb", None)
