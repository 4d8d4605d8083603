"""The picture of the Overview: where the period stands against its target, and where it may end."""

from dataclasses import dataclass
from typing import Any, Final

from app import formats
from app.charts import drawing, style
from app.charts.style import Chart

HEIGHT: Final = 176  # pixels
BAR: Final = 0.34  # of a row
WON, LIKELY = 0, 1  # the rows, from the top


@dataclass(frozen=True)
class Track:
    """Where a period stands: amounts in one currency; `target` None where nobody set one."""

    period: str
    currency: str
    won: float
    weighted: float
    target: float | None
    chance: float | None  # to reach the target
    low: float  # P10
    middle: float  # P50
    high: float  # P90

    @property
    def most(self) -> float:
        """The largest amount in the picture."""
        return max(self.won, self.high, self.weighted, self.target or 0.0, 1.0)

    @property
    def attainment(self) -> float | None:
        """Won / target."""
        return self.won / self.target if self.target else None

    @property
    def names(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """What stands above the two rows: a name, and its numbers."""
        won, low, middle, high = (self.short(amount) for amount in (self.won, self.low, self.middle, self.high))
        of = "" if self.attainment is None else f" · {formats.share(self.attainment)} of the target"
        return ("Won", f"{won}{of}"), ("Likely", f"{low} to {high} · half above {middle}")

    @property
    def words(self) -> str:
        """The picture as a sentence."""
        won, low, high = (self.short(amount) for amount in (self.won, self.low, self.high))
        if self.target is None:
            return f"{won} won in {self.period}, which will likely end between {low} and {high}. No target is set."
        return (
            f"{won} of {self.short(self.target)} won in {self.period}, which will likely end between {low} and {high}."
            f" Chance to reach the target: {formats.share(self.chance)}."
        )

    def short(self, amount: float) -> str:
        """An amount in three digits."""
        return formats.short_money(amount, self.currency)


def on_track(track: Track) -> Chart:
    """Two rows: what is won, and the range in which eight of ten simulated periods end; a mark at the target."""
    unpicked = {"unselected": {"marker": {"opacity": 1}}, "selected": {"marker": {"opacity": 1}}}

    def bar(row: int, base: float, length: float, color: str, said: str, **more: Any) -> dict[str, Any]:
        return {
            "type": "bar", "orientation": "h", "x": [length], "y": [row], "base": [base], "width": BAR,
            "marker": {"color": color}, "hovertext": [said], "hovertemplate": drawing.HOVER,
            **unpicked, **more,
        }  # fmt: skip

    money = formats.money
    traces: list[dict[str, Any]] = [
        bar(WON, 0.0, track.won, style.UP, f"Won: {money(track.won, track.currency)}"),
        bar(
            LIKELY, track.low, track.high - track.low, style.ACCENT,
            f"Eight of ten simulated periods end between {track.short(track.low)} and {track.short(track.high)}",
            opacity=0.35,
        ),
        _mark(LIKELY, track.middle, style.ACCENT, 20, f"Half end above {track.short(track.middle)}"),
        _mark(LIKELY, track.weighted, style.INK, 11, f"Weighted: {track.short(track.weighted)}", symbol="diamond"),
    ]  # fmt: skip
    layout = style.rows(track.names)
    layout["yaxis"]["range"] = [1.62, -0.62]
    if track.target is not None:
        traces.append(
            {
                "type": "scatter", "mode": "lines",
                "x": [*[track.target] * 2, None] * 2,
                "y": [*_across(WON), None, *_across(LIKELY), None],
                "line": {"color": style.DOWN, "width": 2.5}, "hoverinfo": "skip", **unpicked,
            }
        )  # fmt: skip
        near_the_end = track.target > track.most / 2
        layout["annotations"].append(
            {
                "x": track.target, "y": LIKELY + 0.42, "text": f"Target {track.short(track.target)}",
                "showarrow": False,
                "xanchor": "right" if near_the_end else "left", "xshift": 4 if near_the_end else -4,
                "font": {"color": style.DOWN, "size": style.LABEL_SIZE},
            }
        )  # fmt: skip
    figure = style.figure(
        HEIGHT, traces, xaxis=style.hidden_axis(range=[0, track.most * 1.02]),
        margin={"l": 0, "r": 8, "t": 0, "b": 0, "pad": 4}, **layout,
    )  # fmt: skip
    return Chart(figure, track.words)


def _across(row: int) -> tuple[float, float]:
    """From a little above the row's bar to a little below: the line of text between the rows stays clear."""
    return row - BAR / 1.4, row + BAR / 1.4


def _mark(row: int, at: float, color: str, size: int, said: str, symbol: str = "line-ns") -> dict[str, Any]:
    line = {"width": 3, "color": color} if symbol == "line-ns" else {"width": 1.5, "color": style.GROUND}
    return {
        "type": "scatter", "mode": "markers", "x": [at], "y": [row],
        "marker": {"symbol": symbol, "size": size, "color": color, "line": line},
        "hovertext": [said], "hovertemplate": drawing.HOVER,
        "unselected": {"marker": {"opacity": 1}}, "selected": {"marker": {"opacity": 1}},
    }  # fmt: skip
