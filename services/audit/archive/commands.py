"""The requests for packages."""

from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.fields import Code
from schemas.operation import Addressee
from services.kernel.core.commands import Command, example

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]


class SealArchive(
    Command, json_schema_extra=example(reasons={"department_reply_letters": "责任部门当面答复，没有回复函"})
):
    """Seals the file of a matter that has ended. It holds the record, the words and the files of the matter."""

    reasons: Annotated[dict[Code, Reason], Field(default_factory=dict, max_length=50)]
    """Part of the pack's list that the record lacks -> why. Lists of persons, media or devices are no parts."""


class ConsultArchive(Command, json_schema_extra=example(purpose="复查同类事项")):
    """Gives out the newest archive of a matter. It is recorded."""

    purpose: Reason
    """What for."""


class ExportTimeline(Command, json_schema_extra=example(addressee="peoples_congress", purpose="县人大常委会专题询问")):
    """Writes the masked record of a matter, with proofs, for somebody outside."""

    addressee: Addressee
    """The office or body that gets it, or the public; never a person."""
    purpose: Reason
    """What for."""
    package: bool = False
    """Whether it comes as a ZIP with an index to read beside the record."""
