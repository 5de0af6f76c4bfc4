"""The file of mailboxes: whose they are, where they are read, and by which server receipts are sent.

Secrets stand in files of their own or in the environment, never in this file.
"""

import ipaddress
import os
import re
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from schemas.fields import UnitCode
from services.kernel.rules.documents import DocumentError, Fault, read_file
from services.kernel.settings import Settings

Folder = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


def _file(named: Path) -> Path:
    if not named.is_file():
        raise ValueError(f"there is no file {named}; write the path of one that this service can read")
    return named


def _variable(named: str) -> str:
    if not os.environ.get(named):
        raise ValueError(f"the environment has no variable {named}; set it, or name a file in secret_file")
    return named


def _host(named: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.:_-]{1,253}", named):
        raise ValueError("is no name of a server; write one such as imap.example.gov.cn")
    return named


def _address(named: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,250}", named):
        raise ValueError("is no address of mail; write one such as letters@town-east.example.gov.cn, without a name")
    return named


ListId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,250}$", to_lower=True)]
File = Annotated[Path, AfterValidator(_file)]


class UnusableSecret(ValueError):
    """A secret that no server can be given. The sentence says why, and nothing of it."""


class Server(BaseModel):
    """A mail server and who signs in there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: Annotated[str, AfterValidator(_host)]
    port: int = Field(ge=1, le=65535)
    tls: Literal["tls", "starttls", "none"] = "tls"
    """From the first byte, after STARTTLS, or not at all: that is for a server on this machine alone."""
    ca: File | None = None
    """The authority that signed its certificate, a PEM file. Without it, those that the system trusts."""
    user: Annotated[str, StringConstraints(max_length=200)] = ""
    secret_file: File | None = None
    secret_variable: Annotated[str, AfterValidator(_variable)] | None = None

    @model_validator(mode="after")
    def _can_sign_in(self) -> Self:
        if self.tls == "none" and not _is_here(self.host):
            raise ValueError("without TLS whoever is on the way reads the secret and the mails; write tls: tls")
        if bool(self.user) != bool(self.secret_file or self.secret_variable):
            raise ValueError("user and its secret come together; write both, or neither")
        if self.secret_file and self.secret_variable:
            raise ValueError("the secret is in secret_file or in secret_variable; write one")
        return self

    def secret(self) -> str:
        """The secret as it is now. Raises `OSError`, and `UnusableSecret` for one beyond ASCII or of several lines."""
        found = self._secret()
        if not found.isascii() or not found.isprintable():
            raise UnusableSecret(
                "the secret has characters beyond ASCII, or several lines; give the mailbox another one"
            )
        return found

    def _secret(self) -> str:
        if self.secret_file is not None:
            return self.secret_file.read_text("utf-8-sig", "replace").strip()
        return os.environ.get(self.secret_variable or "", "")


class Imap(Server):
    """Where the mailbox is read."""

    port: int = Field(993, ge=1, le=65535)
    user: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Smtp(Server):
    """Where receipts are sent. A server that knows this machine needs no user."""

    port: int = Field(465, ge=1, le=65535)


class Mailbox(BaseModel):
    """The mailbox of a unit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    imap: Imap
    smtp: Smtp
    address: Annotated[str, AfterValidator(_address)]
    """The unit's own address, from which receipts come."""
    since: date
    """The first day whose mails are taken in. Earlier ones stay where they are."""
    inbox: Folder = "INBOX"
    done: Folder = "Huiying-Done"
    """Mails that became reports. They are deleted from there."""
    aside: Folder = "Huiying-Aside"
    """Mails that are no reports. They stay there."""
    done_days: int = Field(7, ge=0, le=365)
    """After so many days since their arrival, mails in `done` are deleted."""
    poll_seconds: float = Field(60, ge=1, le=3600)
    """How long the inbox is left alone after it was read."""
    most_bytes: int = Field(30_000_000, ge=10_000, le=35_000_000)
    """A larger mail is set aside unread."""
    lists: frozenset[ListId] = frozenset()
    """The office's own groups that mails to the unit come over, by their List-Id. Other lists are mailings."""

    @model_validator(mode="after")
    def _has_folders(self) -> Self:
        if len({one.casefold() for one in (self.inbox, self.done, self.aside)}) < 3:
            raise ValueError("inbox, done and aside are three folders; name them differently")
        return self


class Mailboxes(BaseModel):
    """The mailboxes by the code of their unit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mailboxes: Annotated[dict[UnitCode, Mailbox], Field(min_length=1)]

    @model_validator(mode="after")
    def _are_different(self) -> Self:
        seen = dict[tuple[str, ...], str]()
        for unit, box in self.mailboxes.items():
            for use in ("inbox", "done", "aside"):
                place = (box.imap.host, box.imap.user, getattr(box, use))
                key = tuple(one.casefold().rstrip(".") for one in place)
                if key in seen:
                    raise ValueError(
                        f"mailboxes: {use} of {unit} is the folder {place[-1]} that is {seen[key]}; "
                        "each folder of an account has one use"
                    )
                seen[key] = f"{use} of {unit}"
        return self


def load(settings: Settings) -> dict[str, Mailbox]:
    """Unit -> its mailbox. Raises `DocumentError` with the place of each fault."""
    if settings.mailboxes is None:
        return {}
    try:
        return read_file(settings.mailboxes).model(Mailboxes).mailboxes
    except OSError as error:
        raise DocumentError(str(settings.mailboxes), Fault(0, "", f"cannot be read: {error.strerror}")) from None


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
