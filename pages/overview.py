"""Are we on track, and what needs me? For everyone, of their own rows."""

from app import identity
from app.components import freshness
from app.components import overview as pieces
from app.components.health import Model
from app.components.review import opened
from app.forecasting import distribution
from queries import engagement, forecast, health, overview, pipeline

identity.require("rep", "manager", "executive", "admin")


def body() -> None:
    """The page, drawn again whenever the data change."""
    with opened(pieces.PAGE, "Overview") as read:
        scope = read.scope
        found = pieces.Answers(
            pipeline=read(pipeline.headline),
            pipeline_trend=read(pipeline.headline_trend),
            stages=read(pipeline.expected_revenue_by_stage),
            months=read(forecast.months),
            outside=read(forecast.outside),
            whole=distribution(read.ask, scope),
            health=read(health.headline),
            health_trend=read(health.headline_trend),
            risks=read(health.risk),
            model=Model.of(read(health.report_cards).frame),
            fell=read(health.movers, scope.as_of - overview.WEEK, scope.as_of, pieces.MOVED),
            engagement=read(engagement.headline),
            engagement_trend=read(engagement.headline_trend),
            changes=read.first(overview.changes, pieces.EACH),
        )
        page = pieces.told(read, found)
    pieces.draw(page, found, read.setting)


freshness.live(body)
