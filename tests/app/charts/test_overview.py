from dataclasses import replace

import plotly.graph_objects as go
import pytest

from app.charts.overview import Track, on_track

TRACK = Track("2026 Q4", "CAD", won=1.2e6, weighted=2.5e6, target=3e6, chance=0.31, low=1.8e6, middle=2.4e6, high=3.4e6)
TRACKS = {
    "a target": TRACK,
    "none": replace(TRACK, target=None, chance=None),
    "a small one": replace(TRACK, target=1.0, chance=1.0),
    "nothing": Track("2026 Q4", "CAD", 0.0, 0.0, None, None, 0.0, 0.0, 0.0),
}


@pytest.mark.parametrize("track", TRACKS.values(), ids=TRACKS)
def test_plotly_takes_it_and_all_that_is_drawn_lies_inside(track: Track) -> None:
    figure = on_track(track).figure
    go.Figure(figure.to_dict())  # validates
    left, right = figure.layout.xaxis.range
    assert left == 0  # bars start at zero
    amounts = [x for trace in figure.data for x in trace.x if x is not None and trace.type == "scatter"]
    assert all(0 <= amount <= right for amount in amounts)


def test_bars_are_as_long_as_their_amounts() -> None:
    won, likely, *_ = on_track(TRACK).figure.data
    assert (won.base[0], won.x[0]) == (0, 1.2e6)
    assert (likely.base[0], likely.base[0] + likely.x[0]) == (1.8e6, 3.4e6)


def test_it_says_itself_in_words() -> None:
    assert on_track(TRACK).words == (
        "CA$1.20M of CA$3.00M won in 2026 Q4, which will likely end between CA$1.80M and CA$3.40M."
        " Chance to reach the target: 31\N{NO-BREAK SPACE}%."
    )
    assert on_track(TRACKS["none"]).words.endswith("No target is set.")


def test_there_is_a_mark_only_where_there_is_a_target() -> None:
    assert len(on_track(TRACK).figure.data) == len(on_track(TRACKS["none"]).figure.data) + 1
