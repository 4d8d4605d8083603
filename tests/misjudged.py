"""A small company whose stages promise what they don't keep: Proposal says 50 % and keeps 10 %.

4 were won of the 40 that passed through it; three open ones are there now, one with a probability of its own.
"""

from sqlalchemy import Connection

from app import database
from app.jobs import calibration
from tests.tables import given


def insert(owner: Connection) -> None:
    """Inserts the company, not yet calibrated."""
    given(owner, "crm_organizers", """
        id   | company_name | assigned_to
        acme | Acme         | rita
    """)  # fmt: skip
    given(owner, "crm_opportunities", """
        id     | organizer_id | name   | stage_id | value | probability | assigned_to
        gala   | acme         | Gala   | Proposal | 1000  |             | rita
        summit | acme         | Summit | Proposal | 500   |             | rita
        expo   | acme         | Expo   | Proposal | 800   | 30          | ravi
    """)  # fmt: skip
    owner.exec_driver_sql("""
        insert into crm_opportunities (organizer_id, name, stage_id, value, assigned_to)
        select organizer_id, 'Past ' || n, stage_id, 10, assigned_to
        from crm_opportunities, generate_series(1, 40) as n where name = 'Gala'
    """)
    owner.exec_driver_sql("""
        update crm_opportunities as deal
        set stage_id = stage.id
        from crm_pipeline_stages as stage
        where deal.name like 'Past %%' and stage.name = case when deal.name < 'Past 13' then 'Won' else 'Lost' end
    """)


def calibrate() -> None:
    """Judges the stages by what happened so far."""
    with database.owning() as owner:
        calibration.run(owner)
