"""The parts of a page that are drawn again on their own: their keys for `st.rerun`."""

from typing import Final

BODY: Final = "page"
OPENER: Final = "drawer"
RECORDS: Final = "records"
