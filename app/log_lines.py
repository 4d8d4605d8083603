"""Log lines that nobody can forge: what comes from people's data can't start a line or colour a terminal."""

import logging


class OneLine(logging.Formatter):
    """Writes each record as one line, and what explains it indented below."""

    def __init__(self) -> None:
        super().__init__("{asctime} {levelname:<7} {name}: {message}", style="{")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's own name)
        """The line, with line breaks and control characters written out."""
        return _printable(super().formatMessage(record))

    def formatException(self, exc_info: object) -> str:  # noqa: N802
        """The traceback, every line of it indented."""
        text = super().formatException(exc_info)  # type: ignore[arg-type]
        return "\n".join(f"    {_printable(line)}" for line in text.splitlines())


def to_stderr() -> None:
    """Sends what the app logs to the standard error, from INFO on."""
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine())
    logger = logging.getLogger("app")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
