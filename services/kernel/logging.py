"""Structured logs: event name first, then values; one line a fact, to standard error.

What people typed never gets there: of an error only its kind and the first line of its sentence are told.
"""

import io
import logging
import sys
import time
import traceback
from typing import Any, TextIO, cast

import structlog
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from services.kernel.settings import Settings


class _StandardError(io.TextIOBase):
    """Standard error as it is when something is told: whoever replaces it may close the one before."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def configure(settings: Settings) -> None:
    """Sets structlog and the libraries' logging up for a process."""
    level = getattr(logging, settings.log_level.upper(), logging.INFO)
    render = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _StandardError())),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")


AGAIN = 60.0
"""Seconds after which a state that lasts is told once more."""


class Lasting:
    """A state that may last: told when it begins, when its cause is another one, once a minute, and when it ends."""

    def __init__(self, name: str, **values: Any) -> None:
        self._log, self._name, self._values = structlog.get_logger(), name, values
        self._began = 0.0
        self._times = 0
        self._causes: dict[str, float] = {}

    def told(self, cause: str, **more: Any) -> None:
        """It is so now, because of this."""
        now = time.monotonic()
        self._times += 1
        if not self._causes:
            self._began = now
        if now - self._causes.get(cause, -AGAIN) >= AGAIN:
            self._causes[cause] = now
            self._log.warning(self._name, error=cause, times=self._times, **self._values, **more)

    def over(self) -> None:
        """It is so no longer."""
        if self._causes:
            seconds = round(time.monotonic() - self._began, 1)
            self._log.info(f"{self._name}.over", seconds=seconds, times=self._times, **self._values)
            self._causes.clear()
            self._times = 0


def brief(error: BaseException) -> str:
    """The kind of an error and the first line of what it says, without the values that it was made with."""
    inner = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if isinstance(inner, ValidationError):
        faults = inner.errors(include_input=False, include_url=False, include_context=False)
        said = f"{'.'.join(map(str, faults[0]['loc']))}: {faults[0]['type']}"
    else:
        said = str(inner).strip().partition("\n")[0]
    return f"{type(inner).__name__}: {said}"[:300]


def frames(error: BaseException) -> str:
    """Where an error came from, without its sentence."""
    return "".join(traceback.format_tb(error.__traceback__))
