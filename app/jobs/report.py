"""What the owner's commands print of the calibration and of a forecast: plain values, and the same in words."""

from dataclasses import replace
from typing import Any

import pandas as pd
from sqlalchemy import Connection

from app.estimates import backtest
from app.forecasting import Directly, Progress, distribution, look_back
from queries import calibration as calibrated
from queries import forecast as forecasts
from queries.scope import ONE_DAY, Scope

Report = dict[str, Any]

_STAGE = {
    "stage": "name",
    "set_probability": "set_value",
    "n": "closed",
    "wins": "wins",
    "rate": "rate",
    "low": "low",
    "high": "high",
    "open": "open",
    "suggestion": "suggestion",
    "outside": "outside",
    "reason": "reason",
}


def calibration(connection: Connection, scope: Scope) -> Report:
    """What the Stages page shows: `as_of`, `stages`, `stages_by_expected_close` and `forecasters`; shares are 0–1."""
    run = calibrated.latest(connection, scope)
    horizons: dict[str, calibrated.Horizon] = {"stages": "ever", "stages_by_expected_close": "by_expected_close"}
    return {
        "as_of": None if run.empty else run["as_of"].iloc[0].date().isoformat(),
        **{
            name: _rows(calibrated.stages(connection, scope, horizon)[list(_STAGE)].rename(columns=_STAGE))
            for name, horizon in horizons.items()
        },
        "forecasters": _rows(calibrated.scores(connection, scope)),
    }


def calibration_in_words(found: Report) -> str:
    """The same as a table."""
    lines = [f"Calibration as of {found['as_of']}: won / closed that reached the stage", ""]
    lines.append(f"{'Stage':<24}{'set':>6}{'won':>8}{'closed':>8}{'rate':>7}  {'interval':<13}{'open':>6}  remark")
    for stage in found["stages"]:
        interval = "–" if stage["rate"] is None else f"{stage['low']:.0%} – {stage['high']:.0%}"
        remark = stage["reason"] or ("the set value lies outside" if stage["outside"] else "")
        lines.append(
            f"{stage['name'][:23]:<24}{stage['set_value']:>6.0%}{stage['wins']:>8,}{stage['closed']:>8,}"
            f"{_percent(stage['rate']):>7}  {interval:<13}{stage['open']:>6,}  {remark}".rstrip()
        )
    lines += ["", f"{'Forecaster':<24}{'Brier':>8}{'log loss':>10}{'ECE':>8}"]
    for one in found["forecasters"]:
        scores = (one["brier"], one["log_loss"], one["ece"])
        shown = [
            f"{'–' if score is None else format(score, '.4f'):>{width}}"
            for score, width in zip(scores, (8, 10, 8), strict=True)
        ]
        lines.append(f"{one['forecaster']:<24}{''.join(shown)}  {one['reason']}".rstrip())
    return "\n".join(lines)


def forecast(connection: Connection, scope: Scope) -> Report:
    """The period's `won`, `weighted`, `p10`, `p50`, `p90`, `target` and the chance to reach it, as of the scope's day.

    `actual` is what happened, where the period is over by today. Amounts are in `currency`.
    """
    ask = Directly(connection)
    months = ask(forecasts.months, scope)
    outside = ask(forecasts.outside, scope)
    expected = distribution(ask, scope)
    target = months["target"].dropna().sum() if months["target"].notna().any() else None
    is_over = scope.period.end <= scope.today
    happened = ask(forecasts.won, replace(scope, as_of=scope.today)) if is_over else None
    return {
        "period": scope.period.label,
        "start": scope.period.start.isoformat(),
        "end": (scope.period.end - ONE_DAY).isoformat(),
        "as_of": scope.as_of.isoformat(),
        "currency": scope.currency,
        "won": float(months["won"].sum()),
        "weighted": float(months["weighted"].sum()),
        "overdue": float(outside["expected_revenue"].iloc[0]),
        "undated": float(outside["expected_revenue"].iloc[1]),
        **{name: expected.quantile(share) for name, share in (("p10", 0.1), ("p50", 0.5), ("p90", 0.9))},
        "target": None if target is None else float(target),
        "chance_of_target": None if target is None else expected.at_least(float(target)),
        "actual": None if happened is None else float(happened["value"].iloc[0]),
        "without_rate": int(months["without_rate"].sum() + outside["without_rate"].sum()),
        "reasons": list(expected.reasons),
    }


def forecast_in_words(found: Report) -> str:
    """The same as lines."""

    def amount(name: str) -> str:
        return "–" if found[name] is None else f"{found['currency']} {found[name]:,.2f}"

    lines = [
        f"{found['period']} ({found['start']} to {found['end']}) as of {found['as_of']}",
        "",
        f"Won to date          {amount('won')}",
        f"Weighted forecast    {amount('weighted')}",
        f"P10, P50, P90        {', '.join(amount(name) for name in ('p10', 'p50', 'p90'))}",
        f"Overdue, expected    {amount('overdue')}",
        f"Undated, expected    {amount('undated')}",
        f"Target               {amount('target')}",
    ]
    if found["chance_of_target"] is not None:
        lines.append(f"Chance to reach it   {found['chance_of_target']:.0%}")
    if found["actual"] is not None:
        lines.append(f"What happened        {amount('actual')}")
    if found["without_rate"]:
        lines.append(f"Without a rate       {found['without_rate']} opportunities, in no amount")
    return "\n".join([*lines, "", *found["reasons"]]).rstrip()


def past(connection: Connection, scope: Scope, progress: Progress) -> Report:
    """How good past forecasts were: `forecasts`, `periods`, `coverage` of their bands, `accuracy` by horizon."""
    rebuilt = look_back(Directly(connection), scope, progress).periods
    return {
        "forecasts": len(rebuilt),
        "periods": int(rebuilt["period_start"].nunique()),
        "coverage": _rows(backtest.coverage(rebuilt)),
        "accuracy": _rows(backtest.accuracy(rebuilt)),
    }


def past_in_words(found: Report) -> str:
    """The same as lines."""
    if not found["forecasts"]:
        return "There is no past quarter to look back on yet."
    lines = [f"{found['forecasts']} forecasts of {found['periods']} past quarters, rebuilt as of then", ""]
    lines += [
        f"The {band['band']:.0%} range held {band['inside']} times: {band['share']:.0%} "
        f"({band['low']:.0%} – {band['high']:.0%})"
        for band in found["coverage"]
    ]
    lines.append("")
    for ahead in found["accuracy"]:
        line = f"{ahead['horizon']:<22} off by {_percent(ahead['absolute_share'])} of what came"
        if ahead["bias_share"]:
            line += f", all in all {abs(ahead['bias_share']):.0%} too {'high' if ahead['bias_share'] > 0 else 'low'}"
        lines.append(line)
    return "\n".join(lines)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"


def _rows(frame: pd.DataFrame) -> list[Report]:
    """The rows as plain values, what is missing as None."""
    return [
        {str(name): None if pd.isna(value) else value for name, value in row.items()}
        for row in frame.astype(object).to_dict("records")
    ]
