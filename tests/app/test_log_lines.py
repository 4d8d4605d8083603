import io
import logging

from app.log_lines import OneLine


def logged(message: str, *values: object, error: BaseException | None = None) -> list[str]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(OneLine())
    handler.handle(
        logging.LogRecord(
            "app.test", logging.WARNING, __file__, 1, message, values, error and (type(error), error, None)
        )
    )
    return stream.getvalue().splitlines()


def test_a_name_can_not_start_a_line_or_colour_it() -> None:
    (line,) = logged("saved %s", "Acme\n2026-01-01 00:00:00 ERROR app: forged \x1b[31mred\u202e")
    assert line.endswith(r"WARNING app.test: saved Acme\n2026-01-01 00:00:00 ERROR app: forged \x1b[31mred\u202e")


def test_other_languages_stay_readable() -> None:
    (line,) = logged("saved %s", "Événements à Montréal 東京")
    assert line.endswith("saved Événements à Montréal 東京")


def test_what_explains_a_line_is_indented() -> None:
    lines = logged("failed", error=ValueError("first\nERROR forged"))
    assert lines[0].endswith("failed")
    assert lines[1:] == ["    ValueError: first", "    ERROR forged"]
