"""A third vendor by a mapping file alone, joined through leads that are no records here."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from app.importing import mapping_file, reading
from app.importing.values import Style

EXPORT = Path(__file__).parents[4] / "shared/data/leadforge"


@pytest.mark.skipif(not EXPORT.is_dir(), reason="the leadforge export in ../shared/data is not here")
def test_leadforge_is_read(tmp_path: Path) -> None:
    for name in ("accounts", "contacts", "leads", "opportunities"):
        (tmp_path / f"{name}.csv").symlink_to(EXPORT / f"{name}.csv")
    activities = (EXPORT / "sales_activities.csv").read_text("utf-8").splitlines(keepends=True)
    (tmp_path / "sales_activities.csv").write_text("".join(activities[:2001]), "utf-8")  # all of them take seconds
    mapping = mapping_file.load(str(Path(__file__).parents[2] / "mappings/leadforge.toml"))
    style = Style(mapping.dates, mapping.numbers, None, ZoneInfo("America/Toronto"), datetime.now(UTC))
    export = reading.read(mapping, tmp_path, style, lambda _text, _share: None)
    assert not export.rejected
    assert (len(export.organizers), len(export.contacts), len(export.activities)) == (1500, 4200, 2000)
    names = {stage.id: stage.name for stage in export.stages}
    counted = Counter(names[deal.stage] for deal in export.opportunities)
    assert (counted.pop("Won"), counted.pop("Lost"), counted.total()) == (1017, 1229, 2368)
    assert len(export.people) == 10
