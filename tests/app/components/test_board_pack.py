"""The one-page PDF, read as text and looked at as a picture."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pypdfium2
import pytest

from app import formats
from app.charts.overview import Track
from app.components import board_pack
from app.components.findings import Finding
from app.components.metrics import Metric
from app.components.overview import Group, Overview

EVIL = "![x](http://evil.example/x) **b** <b>&amp; \u202e\x07evil"
LONG = "The Worshipful Company of Conference, Exhibition and Festival Organizers of Greater Saskatoon " * 3
TRACK = Track("2026 Q4", "NGN", won=1.2e6, weighted=2.5e6, target=3e6, chance=0.31, low=1.8e6, middle=2.4e6, high=3.4e6)


def money(amount: float, currency: str = "NGN") -> str:
    return formats.short_money(amount, currency)


def group(title: str, name: str = "Gala", rows: int = 5) -> Group:
    found = [Finding(name, f"{name} · Lead → Proposal", money(1e6), "organizer", {}) for _ in range(rows)]
    return Group(title, "12 · €3.40M", found, f"Nothing {title}")


PAGE = Overview(
    organisation="Œuvres d’Été & Cie",
    whose="The whole company",
    filters="2026 Q4 · EUR",
    as_of="22 Nov 2026, 23:17 (America/Toronto)",
    on=datetime(2026, 11, 22, tzinfo=UTC),
    metrics=[
        Metric("Won", "€1.20M", f"-30{formats.GAP}%", "", note=f"40{formats.GAP}% of target"),
        Metric("Expected revenue", "₦2.50M", f"+4{formats.GAP}%", ""),
        Metric("Win rate", f"20{formats.GAP}%", 0, ""),
        Metric("Median health", "44 of 100", None, ""),
        Metric("Revenue at risk", "£7", "+2", "", good="down", note="12 at ■ high risk"),
        Metric("Activities", "1,929", "+6", "", good="neither"),
    ],
    notes="Changes compare with 1 Jul 2026 to 22 Aug 2026.",
    track=TRACK,
    needs=[Finding(f"Need {number}", "Some words", str(number), "pipeline", {}) for number in range(5)],
    since="15 Nov 2026",
    changes=[group(title) for title in ("won", "lost", "slipped", "moved", "fell")],
)


@contextmanager
def opened(page: Overview) -> Iterator[pypdfium2.PdfPage]:
    document = pypdfium2.PdfDocument(io.BytesIO(board_pack.pdf(page)))
    assert len(document) == 1
    yield document[0]
    document.close()


def text(page: Overview) -> str:
    with opened(page) as sheet:
        return " ".join(sheet.get_textpage().get_text_range().split()).replace(formats.GAP, " ")


def test_it_says_what_the_page_says() -> None:
    said = text(PAGE)
    for words in (
        "Œuvres d’Été & Cie", "2026 Q4 · EUR", "As of 22 Nov 2026, 23:17 (America/Toronto)", "The whole company",
        "€1.20M", "▼ -30 %", "40 % of target", "₦2.50M", "▲ +4 %", "unchanged", "12 at ■ high risk", "1,929",
        "What changed since 15 Nov 2026", "12 · €3.40M", "Chance to reach the target: 31 %", "Need 4",
        "Changes compare with 1 Jul 2026",
    ):  # fmt: skip
        assert words in said, words


def test_its_fonts_are_inside_and_it_asks_for_nothing_else() -> None:
    held = board_pack.pdf(PAGE)
    assert held.count(b"/FontFile2") == 2
    assert b"EventOS-Bold" in held
    assert not any(word in held for word in (b"/URI", b"/JavaScript", b"/Launch", b"http:"))


def test_it_is_a_lying_sheet_with_an_empty_margin() -> None:
    with opened(PAGE) as sheet:
        assert (round(sheet.get_width()), round(sheet.get_height())) == (842, 595)
        picture = sheet.render(scale=1).to_pil().convert("L")
    left, top, right, bottom = picture.point(lambda shade: 255 * (shade < 250)).getbbox() or (0, 0, 0, 0)
    assert left >= 30
    assert top >= 25
    assert right <= 842 - 30
    assert bottom <= 595 - 20


@pytest.mark.parametrize("name", [EVIL, LONG, "", "東京イベント", "Zażółć gęślą jaźń", "\n\t \u2028"])
def test_names_of_any_kind_stay_on_the_one_page(name: str) -> None:
    page = replace(
        PAGE,
        organisation=name,
        filters=name,
        notes=name,
        needs=[Finding(name, name, name[:12], "pipeline", {})],
        changes=[group(title, name) for title in ("won", "lost", "slipped", "moved", "fell")],
    )
    said = text(page)
    with opened(page) as sheet:
        picture = sheet.render(scale=1).to_pil().convert("L")
    left, _, right, _ = picture.point(lambda shade: 255 * (shade < 250)).getbbox() or (0, 0, 0, 0)
    assert left >= 30
    assert right <= 842 - 30
    assert "\x07" not in said
    assert "\u202e" not in said
    if name == EVIL:
        assert "![x](http://evil.example/x) **b**" in said
    if name.startswith("東"):
        assert board_pack.BOX * 6 in said
    if name.startswith("Za"):
        assert "Zażółć gęślą jaźń" in said


def test_where_nothing_is_known_it_says_so() -> None:
    empty = replace(PAGE, track=None, changes=[Group("Won", "", [], "Nothing was won")])
    assert "Nothing was won or is open, and no target is set" in text(empty)
    assert "Nothing was won" in text(empty)


@pytest.mark.parametrize(
    "track",
    [
        replace(TRACK, target=None, chance=None),
        replace(TRACK, won=9e6, low=9e6, middle=9e6, high=9e6),
        replace(TRACK, won=0.0, low=0.0, middle=0.0, high=0.0, weighted=0.0, target=1.0),
    ],
)
def test_tracks_at_their_ends(track: Track) -> None:
    said = text(replace(PAGE, track=track))
    assert f"{money(track.low)} to {money(track.high)}".replace(formats.GAP, " ") in said
    assert ("No target is set" in said) == (track.target is None)


def test_two_made_at_once_keep_their_letters() -> None:
    from concurrent.futures import ThreadPoolExecutor

    pages = [replace(PAGE, organisation=chr(letter) * 5) for letter in range(0x410, 0x41A)]
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(text, pages))
    assert all(page.organisation in said for page, said in zip(pages, made, strict=True))
