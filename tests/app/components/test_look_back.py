import pytest
from streamlit.testing.v1 import AppTest


def script() -> None:
    """The section's pictures of three quarters, each forecast 90 and 30 days before its end."""
    from datetime import UTC, date, datetime

    import pandas as pd

    from app.components import look_back
    from app.components.picture import Setting
    from app.forecasting import LookBack
    from queries.scope import Period, Scope

    rows = []
    for start, end, actual in (("2026-01-01", "2026-04-01", 90.0), ("2026-04-01", "2026-07-01", 120.0)):
        for ahead in (90, 30):
            day = pd.Timestamp(end) - pd.Timedelta(days=ahead)
            levels = {f"p{level:02}": 60.0 + level for level in (5, 10, 25, 50, 75, 90, 95)}
            when = {"as_of": day, "period_start": pd.Timestamp(start), "period_end": pd.Timestamp(end)}
            rows.append(when | levels | {"forecast": 110.0, "actual": actual})
    periods = pd.DataFrame(rows)
    owners = periods.assign(owner_id="1", owner="Rita [x](y)")
    stages = periods.assign(stage_id="2", stage="Lead")
    today = date(2026, 11, 22)
    scope = Scope(today, today, Period.of("quarter", today), "CAD", "America/Toronto")
    setting = Setting("2026 Q4 · CAD", False, datetime(2026, 11, 22, tzinfo=UTC), "America/Toronto", "CAD")
    look_back.pictures(LookBack(periods, owners, stages), scope, setting)


def opened() -> AppTest:
    app = AppTest.from_function(script).run()
    assert not app.exception
    return app


def words(app: AppTest) -> list[str]:
    return [chart.proto.alt for chart in app.get("plotly_chart")]


def test_each_quarter_stands_beside_what_came() -> None:
    past, held, errors = words(opened())
    assert "2026 Q1 forecast CA$70 to CA$150, came CA$90" in past
    assert "80\N{NO-BREAK SPACE}% range held 100\N{NO-BREAK SPACE}%" in held
    assert "CA$5 too high" in errors
    assert "Too early to judge" in "".join(caption.value for caption in opened().caption)


@pytest.mark.parametrize("split", ["Owner", "Stage"])
def test_errors_are_told_apart(split: str) -> None:
    app = opened()
    app.segmented_control(key="look-back.split").set_value(split).run()
    assert not app.exception
    assert {"Owner": "Rita [x](y)", "Stage": "Lead"}[split] in words(app)[2]


@pytest.mark.parametrize("ahead", [90, 30])
def test_one_looks_at_forecasts_made_as_far_ahead(ahead: int) -> None:
    app = opened()
    app.segmented_control(key="look-back.ahead").set_value(ahead).run()
    assert not app.exception
    assert "2 quarters, each as forecast then" in "".join(
        caption.value.replace("\N{NO-BREAK SPACE}", " ") for caption in app.caption
    )


@pytest.mark.parametrize("picture", ["look-back", "coverage", "bias"])
def test_behind_each_picture_stand_its_table_and_its_sql(picture: str) -> None:
    app = opened()
    app.segmented_control(key=f"{picture}.view").set_value("Table").run()
    assert not app.exception
    assert len(app.dataframe[0].value)
    app.segmented_control(key=f"{picture}.view").set_value("SQL").run()
    assert not app.exception
    assert "open_opportunities" in app.code[0].value
