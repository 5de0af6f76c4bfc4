"""Structured logs: the event's name first, then values; one line for each fact, to standard error.

The log never holds what people typed. Of an error it has only the kind and the first line of the sentence.
"""

import io
import logging
import sys
import time
import traceback
from contextlib import suppress
from typing import Any, TextIO, cast

import structlog
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from services.kernel.settings import Settings


class _StandardError(io.TextIOBase):
    """Standard error at the time of writing. Whoever replaces it may close the earlier one.

    If nobody reads it any more, or its disk is full, the lines are lost. What logs them goes on.
    """

    def write(self, text: str) -> int:
        with suppress(OSError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            sys.stderr.flush()


def configure(settings: Settings) -> None:
    """Sets up structlog and the libraries' logging for a process."""
    level = getattr(logging, settings.log_level.upper())
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
    for handler in logging.getLogger().handlers:
        if not any(isinstance(known, OnceAMinute) for known in handler.filters):
            handler.addFilter(OnceAMinute())


AGAIN = 60.0
"""A state that lasts is logged again after so many seconds."""


class OnceAMinute(logging.Filter):
    """Passes each message of a library on once a minute, whatever its subject, and says how often it came.

    The user of the library reports when such a state is over, see `Lasting`.
    """

    KEPT = 1000

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is to be written."""
        key, now = (record.name, str(record.msg)), time.monotonic()
        last, times = self._told.get(key, (-AGAIN, 0))
        if now - last < AGAIN:
            self._told[key] = (last, times + 1)
            return False
        if len(self._told) >= self.KEPT:
            self._told.clear()
        self._told[key] = (now, 0)
        if times:
            record.msg = f"{record.msg} ({times} times more in the minutes before)"
        return True


class Lasting:
    """A state that may last. It is logged when it begins, when its cause changes, once a minute, and when it ends."""

    def __init__(self, name: str, **values: Any) -> None:
        self._log, self._name, self._values = structlog.get_logger(), name, values
        self._began = 0.0
        self._times = 0
        self._causes: dict[str, float] = {}

    def told(self, cause: str, **more: Any) -> None:
        """The state holds now, for this cause."""
        now = time.monotonic()
        self._times += 1
        if not self._causes:
            self._began = now
        if now - self._causes.get(cause, -AGAIN) >= AGAIN:
            self._causes[cause] = now
            self._log.warning(self._name, error=cause, times=self._times, **self._values, **more)

    @property
    def seconds(self) -> float:
        """For how long the state has held."""
        return time.monotonic() - self._began if self._causes else 0.0

    def over(self) -> None:
        """The state has ended."""
        if self._causes:
            seconds = round(time.monotonic() - self._began, 1)
            self._log.info(f"{self._name}.over", seconds=seconds, times=self._times, **self._values)
            self._causes.clear()
            self._times = 0


def brief(error: BaseException) -> str:
    """The kind of an error and the first line of its sentence, without the values that caused it."""
    inner = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if isinstance(inner, ValidationError):
        faults = inner.errors(include_input=False, include_url=False, include_context=False)
        said = f"{'.'.join(map(str, faults[0]['loc']))}: {faults[0]['type']}"
    else:
        said = str(inner).strip().partition("\n")[0]
    return f"{type(inner).__name__}: {said}"[:300]


def frames(error: BaseException) -> str:
    """The place where an error arose, without its sentence."""
    return "".join(traceback.format_tb(error.__traceback__))
