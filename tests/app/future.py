"""A future that nobody could know: everything after a moment, otherwise than it was."""

from sqlalchemy import Connection


def poison(owner: Connection, moment: str) -> None:
    """Forgets what the history holds from the moment on; then everything is won for a fortune, or deleted."""
    same = "opportunity_id, organizer_id, stage_id, currency, assigned_to"
    statements = (
        "delete from crm_opportunity_history where valid_from >= %(moment)s",
        "update crm_opportunity_history set valid_to = %(moment)s, next_stage_id = null"
        " where (valid_to is null or valid_to >= %(moment)s) and status = 'open' and not is_deleted",
        "update crm_opportunity_history set valid_to = null, next_stage_id = null where valid_to > %(moment)s",
        f"insert into crm_opportunity_history ({same}, seq, valid_from, value, probability, status, actual_close_date,"
        f" created_at, is_deleted) select {same}, seq + 1, valid_to, 1e9, 100, 'won', valid_to::date - 9, '2010-01-01',"
        " seq %% 5 = 0 from crm_opportunity_history where valid_to = %(moment)s",
        "delete from crm_stage_history where valid_from >= %(moment)s",
        "update crm_stage_history set valid_to = null where valid_to >= %(moment)s",
        "update crm_pipeline_stages set default_probability = 1, order_index = -order_index",
        "update crm_exchange_rates set rate = rate * 7 where rate_date >= %(moment)s",
        "insert into crm_targets (user_id, period_start, amount)"
        " select user_id, '2010-01-01', 1e9 from crm_profiles on conflict do nothing",
    )
    for statement in statements:
        owner.exec_driver_sql(statement, {"moment": moment})
