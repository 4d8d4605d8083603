"""Histories as a test reads them: one line a change, driven through the real triggers at the time that it names.

    at               | deal | organizer_id | stage_id    | value | assigned_to
    2025-01-05 09:00 | Gala | acme         | Lead        | 100   | rita
    2025-02-01 23:59 | Gala |              | Proposal    |       |
    2025-03-01       | Gala |              | Won         |       |
    2025-03-02       | Gala |              | deleted     |       |

Times are Toronto's. A deal's first line makes it, later ones change what they name; an empty cell leaves as is, `null`
stores a null, the stage `deleted` deletes. The rest of tests/tables.py holds here too.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from uuid import UUID

from sqlalchemy import Connection

from tests.tables import _parsed, id_of

ZONE = "America/Toronto"
Cells = Mapping[str, str]


def happens(owner: Connection, text: str) -> None:
    """Lets the changes of deals in the table happen."""
    header, *rows = _parsed(text)
    play(owner, [dict(zip(header, row, strict=True)) for row in rows])


def play(owner: Connection, changes: Iterable[Cells]) -> None:
    """Lets changes happen, each at its time: of a deal, a stage's default (`stage`) or a rate (`currency`, `day`)."""
    made = set(owner.exec_driver_sql("select id from public.crm_opportunities").scalars())
    script = [line for change in changes for line in (_at(change["at"]), _statement(change, made))]
    run(owner, *script, "reset eventos.effective_time")


def at(owner: Connection, when: str, *statements: str) -> None:
    """Runs the statements as if it were then."""
    run(owner, _at(when), *statements, "reset eventos.effective_time")


def run(owner: Connection, *statements: str) -> None:
    """All statements in one round trip and one transaction."""
    owner.exec_driver_sql(";\n".join(statements), execution_options={"no_parameters": True})


def stages_since(owner: Connection, day: date) -> None:
    """As if the stages had been set up on the day, and not when the test's database was made."""
    run(owner, f"update public.crm_stage_history set valid_from = '{day}'")


def _at(when: str) -> str:
    return f"set eventos.effective_time = '{when} {ZONE}'"


def _statement(change: Cells, made: set[UUID]) -> str:
    if "refill" in change:
        return _default(change)
    if "rate" in change:
        return (
            f"insert into public.crm_exchange_rates (currency, rate_date, rate) "
            f"values ('{change['currency']}', '{change['day']}', {change['rate']}) "
            f"on conflict (currency, rate_date) do update set rate = excluded.rate"
        )
    deal = id_of(change["deal"])
    if change.get("stage_id") == "deleted":
        made.discard(deal)
        return f"delete from public.crm_opportunities where id = '{deal}'"
    values = {name: _value(name, cell) for name, cell in change.items() if cell and name not in ("at", "deal")}
    if deal in made:
        assignments = ", ".join(f"{name} = {value}" for name, value in values.items())
        return f"update public.crm_opportunities set {assignments} where id = '{deal}'"
    made.add(deal)
    values = {"id": f"'{deal}'", "name": _text(change["deal"]), "created_at": f"'{change['at']} {ZONE}'", **values}
    return f"insert into public.crm_opportunities ({', '.join(values)}) values ({', '.join(values.values())})"


def _default(change: Cells) -> str:
    """A stage's default is edited; with `refill`, the open deals that inherit it follow."""
    stage = f"(select id from public.crm_pipeline_stages where name = {_text(change['stage'])})"
    edit = f"update public.crm_pipeline_stages set default_probability = {change['default']} where id = {stage}"
    follow = (
        "update public.crm_opportunities set probability = null "
        f"where stage_id = {stage} and status = 'open' and probability_source = 'stage'"
    )
    return f"{edit};\n{follow}" if change["refill"] == "yes" else edit


def _value(name: str, cell: str) -> str:
    if cell == "null":
        return "null"
    if name == "stage_id":
        return f"(select id from public.crm_pipeline_stages where name = {_text(cell)})"
    return f"'{id_of(cell)}'" if name in ("organizer_id", "assigned_to") else _text(cell)


def _text(cell: str) -> str:
    return "'" + cell.replace("'", "''") + "'"
