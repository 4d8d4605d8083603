"""The Overview as one page to print or to send: the same words and numbers, drawn as vectors, with its fonts inside.

The font is the one of the dashboard, which Streamlit brings along. It knows Latin, Greek and Cyrillic letters and the
signs of currencies; a letter of another script is shown as a box.
"""

import io
import re
from collections.abc import Sequence, Set
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Literal

import streamlit as st

if TYPE_CHECKING:
    from reportlab.pdfgen.canvas import Canvas

    from app.charts.overview import Track
    from app.components.findings import Finding
    from app.components.metrics import Metric
    from app.components.overview import Group, Overview

WIDTH, HEIGHT = 841.89, 595.28  # points: A4, lying; on Letter it prints a little smaller
MARGIN: Final = 34.0
GAP: Final = 10.0
LINE, INK, QUIET, ACCENT, PAPER = "#e2e8f0", "#0f172a", "#475569", "#4338ca", "#ffffff"
UP, DOWN, BAND = "#0f766e", "#c2410c", "#c7c4f2"
PLAIN, BOLD = "EventOS", "EventOS-Bold"
BOX: Final = "\N{WHITE SQUARE}"  # for what the font has not
_WEIGHTS: Final = {PLAIN: 400, BOLD: 600}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")
_FOR_LAYOUT: Final = ("GPOS", "GSUB", "GDEF", "HVAR", "MVAR", "STAT")  # tables of the font: a PDF lays out nothing

Align = Literal["left", "right"]


def pdf(page: "Overview") -> bytes:
    """The page as a PDF of one page; its text can be searched and copied."""
    from reportlab.pdfgen.canvas import Canvas

    with _cutting:
        known = _letters()
    written = io.BytesIO()
    canvas = Canvas(written, pagesize=(WIDTH, HEIGHT), lang="en")
    canvas.setTitle(f"Overview · {page.filters}")
    canvas.setAuthor(page.organisation)
    canvas.setSubject(f"As of {page.as_of}")
    canvas.setCreator("EventOS")
    _Sheet(canvas, known).draw(page)
    canvas.showPage()
    canvas.save()
    return written.getvalue()


_cutting = Lock()  # for two who ask for the first one at once


@cache  # a second or two, once a process: a font that is registered stays the one of its name
def _letters() -> Set[int]:
    """Registers both weights, cut out of the variable font; returns the letters that they have."""
    from fontTools.ttLib import TTFont
    from fontTools.varLib import instancer
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont as Face

    media = Path(st.__file__).parent / "static" / "static" / "media"
    (file,) = media.glob("SourceSansVF-Upright*.woff2")
    known: Set[int] = set()
    for name, weight in _WEIGHTS.items():
        font = TTFont(file)
        for table in _FOR_LAYOUT:
            if table in font:
                del font[table]
        cut = instancer.instantiateVariableFont(font, {"wght": weight}, inplace=True)
        cut.flavor = None
        cut["name"].setName(name, 6, 3, 1, 0x409)  # a PDF tells fonts apart by it
        held = io.BytesIO()
        cut.save(held)
        held.seek(0)
        pdfmetrics.registerFont(Face(name, held))
        known = frozenset(cut.getBestCmap())
    return known


class _Sheet:
    """A sheet of paper, written on from the top; y counts downwards, as one reads."""

    def __init__(self, canvas: "Canvas", known: Set[int]) -> None:
        from reportlab.pdfbase import pdfmetrics

        self.canvas = canvas
        self.width_of = pdfmetrics.stringWidth
        self.known = known

    # Strokes ------------------------------------------------------------------------------------------------

    def text(
        self, x: float, y: float, words: str, size: float, *, font: str = PLAIN, color: str = INK,
        width: float = WIDTH, align: Align = "left",
    ) -> None:  # fmt: skip
        """One line on the base line y, shortened to the width."""
        line = self.clipped(words, size, font, width)
        self.canvas.setFillColor(color)
        self.canvas.setFont(font, size)
        (self.canvas.drawString if align == "left" else self.canvas.drawRightString)(x, HEIGHT - y, line)

    def clipped(self, words: str, size: float, font: str, width: float) -> str:
        """As much of the words as the width holds; what the font has not becomes a box."""
        line = " ".join(_CONTROL.sub(" ", words).split(" "))
        line = "".join(letter if ord(letter) in self.known else BOX for letter in line)
        if self.width_of(line, font, size) <= width:
            return line
        while line and self.width_of(f"{line}…", font, size) > width:
            line = line[:-1].rstrip()
        return f"{line}…"

    def wrapped(self, words: str, size: float, width: float, lines: int) -> list[str]:
        """The words on so many lines at most, the last one shortened."""
        found, rest = [""], words.split()
        while rest:
            longer = f"{found[-1]} {rest[0]}".strip()
            if found[-1] and self.width_of(longer, PLAIN, size) > width:
                if len(found) == lines:
                    found[-1] = " ".join([found[-1], *rest])
                    break
                found.append("")
            else:
                found[-1] = longer
                del rest[0]
        return found

    def card(self, x: float, y: float, width: float, height: float) -> None:
        """A card that holds together what belongs together."""
        self.canvas.setStrokeColor(LINE)
        self.canvas.setFillColor(PAPER)
        self.canvas.setLineWidth(0.7)
        self.canvas.roundRect(x, HEIGHT - y - height, width, height, 4, stroke=1, fill=1)

    def bar(self, x: float, y: float, width: float, height: float, color: str) -> None:
        """A filled bar."""
        self.canvas.setFillColor(color)
        self.canvas.rect(x, HEIGHT - y - height, width, height, stroke=0, fill=1)

    def upright(self, x: float, y: float, height: float, color: str, thick: float) -> None:
        """A line downwards from y."""
        self.canvas.setStrokeColor(color)
        self.canvas.setLineWidth(thick)
        self.canvas.line(x, HEIGHT - y, x, HEIGHT - y - height)

    # The page -----------------------------------------------------------------------------------------------

    def draw(self, page: "Overview") -> None:
        """Everything, from the top."""
        inner = WIDTH - 2 * MARGIN
        right = WIDTH - MARGIN
        self.text(MARGIN, 44, page.organisation, 9, color=QUIET, width=inner / 2)
        self.text(right, 44, f"As of {page.as_of}", 9, color=QUIET, width=inner / 2, align="right")
        self.text(MARGIN, 66, "Overview", 20, font=BOLD)
        self.text(right, 60, page.filters, 11, font=BOLD, width=inner * 0.7, align="right")
        self.text(right, 73, page.whose, 9, color=QUIET, width=inner * 0.7, align="right")
        self.metrics(page.metrics, 84, inner)
        left = inner * 0.58
        self.track(page, MARGIN, 166, left, 152)
        self.needs(page.needs, MARGIN + left + GAP, 166, inner - left - GAP, 152)
        self.text(MARGIN, 340, f"What changed since {page.since}", 12, font=BOLD)
        width = (inner - GAP * (len(page.changes) - 1)) / len(page.changes)
        for place, group in enumerate(page.changes):
            self.group(group, MARGIN + place * (width + GAP), 350, width, 190)
        for place, line in enumerate(self.wrapped(page.notes, 7.5, inner - 60, 2)):
            self.text(MARGIN, 556 + 10 * place, line, 7.5, color=QUIET, width=inner - 60)
        self.text(right, 556, "EventOS", 7.5, color=QUIET, align="right")

    def metrics(self, metrics: Sequence["Metric"], y: float, inner: float) -> None:
        """The row of numbers, each with its change and its note."""
        width = (inner - 6 * (len(metrics) - 1)) / len(metrics)
        for place, metric in enumerate(metrics):
            x, inside = MARGIN + place * (width + 6), width - 14
            self.card(x, y, width, 72)
            self.text(x + 7, y + 14, metric.label, 8, color=QUIET, width=inside)
            self.text(x + 7, y + 34, metric.value, 15, font=BOLD, width=inside)
            if metric.change is not None:
                said, color = _change(metric)
                self.text(x + 7, y + 49, said, 8, color=color, width=inside)
            if metric.note:
                self.text(x + 7, y + 62, metric.note, 8, color=QUIET, width=inside)

    def track(self, page: "Overview", x: float, y: float, width: float, height: float) -> None:
        """Won and the likely end against the target."""
        self.card(x, y, width, height)
        self.text(x + 12, y + 20, "Are we on track?", 12, font=BOLD)
        track, inside = page.track, width - 24
        if track is None:
            self.text(x + 12, y + 40, "Nothing was won or is open, and no target is set.", 9, color=QUIET)
            return
        for place, line in enumerate(self.wrapped(track.words, 8.5, inside, 2)):
            self.text(x + 12, y + 36 + 11 * place, line, 8.5, color=QUIET, width=inside)
        scale = inside / (track.most * 1.02)
        top = y + 66
        for row, (name, numbers) in enumerate(track.names):
            self.text(x + 12, top + row * 34, name, 8.5, width=inside / 2)
            self.text(x + 12 + inside, top + row * 34, numbers, 8.5, color=QUIET, width=inside, align="right")
        self.bar(x + 12, top + 5, track.won * scale, 13, UP)
        self.bar(x + 12 + track.low * scale, top + 39, max(1.0, (track.high - track.low) * scale), 13, BAND)
        self.upright(x + 12 + track.middle * scale, top + 37, 17, ACCENT, 2)
        self._target(track, x + 12, top, scale)
        said = "Band: eight of ten simulated periods end in it (P10 to P90), mark at P50"
        self.text(x + 12, y + height - 8, said, 7, color=QUIET, width=inside)

    def _target(self, track: "Track", x: float, top: float, scale: float) -> None:
        if track.target is None:
            return
        at = x + track.target * scale
        for row in (0, 34):
            self.upright(at, top + 2 + row, 19, DOWN, 1.5)
        align: Align = "right" if track.target > track.most / 2 else "left"
        self.text(at, top + 64, f"Target {track.short(track.target)}", 8, color=DOWN, align=align)

    def needs(self, needs: Sequence["Finding"], x: float, y: float, width: float, height: float) -> None:
        """What asks for somebody, each with its number."""
        self.card(x, y, width, height)
        self.text(x + 12, y + 20, "What needs me?", 12, font=BOLD)
        for place, need in enumerate(needs):
            self.row(need, x + 12, y + 38 + place * 24, width - 24, 9, 1)

    def group(self, group: "Group", x: float, y: float, width: float, height: float) -> None:
        """What changed of one kind."""
        self.card(x, y, width, height)
        total = self.width_of(group.total, PLAIN, 8)
        self.text(x + 8, y + 15, group.title, 9, font=BOLD, width=width - 20 - total)
        self.text(x + width - 8, y + 15, group.total, 8, color=QUIET, align="right")
        if not group.rows:
            self.text(x + 8, y + 32, group.nothing, 8, color=QUIET, width=width - 16)
        for place, found in enumerate(group.rows):
            self.row(found, x + 8, y + 32 + place * 32, width - 16, 8, 2)

    def row(self, found: "Finding", x: float, y: float, width: float, size: float, lines: int) -> None:
        """A name with its number, and what is said of it below."""
        number = self.width_of(found.number, BOLD, size)
        self.text(x, y, found.title, size, font=BOLD, width=width - number - 6)
        self.text(x + width, y, found.number, size, font=BOLD, align="right")
        for place, line in enumerate(self.wrapped(found.detail, size - 1, width, lines)):
            self.text(x, y + 9.5 + 8.5 * place, line, size - 1, color=QUIET, width=width)


def _change(metric: "Metric") -> tuple[str, str]:
    if metric.change == 0:
        return "unchanged", QUIET
    said = str(metric.change)
    rose = said.startswith("+")
    mark = "▲" if rose else "▼"
    is_good: dict[str, Any] = {"up": rose, "down": not rose}
    good = is_good.get(metric.good)
    return f"{mark} {said}", QUIET if good is None else UP if good else DOWN
