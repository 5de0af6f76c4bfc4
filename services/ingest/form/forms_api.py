"""The setting of a unit's form, for administrators."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from services.ingest import answers
from services.ingest.commands import FormClosing, FormOpening
from services.ingest.form import offered
from services.kernel.serving import documents, http

Unit = Annotated[str, Path(description="The unit's code.", max_length=64)]


def add_routes(api: APIRouter) -> None:
    """Adds the paths."""

    @api.get("/forms", **documents.answers(answers.Forms))
    async def list_forms(runtime: http.Serving, staff: http.Staff) -> Response:
        """The units that take reports by a public form, or once did. Any unit without an entry never did."""
        async with runtime.database.read() as connection:
            found = await offered.forms(connection, await runtime.offices(connection))
        return http.json_response({"items": [one._asdict() for one in found.values()], "next": None})

    @api.post("/forms", **documents.answers(answers.FormTurned))
    async def open_form(runtime: http.Serving, body: FormOpening, caller: http.Command) -> Response:
        """Opens the public form of a unit at `/form/{unit}`, or changes its introduction."""
        return http.json_response(await offered.change(runtime, caller, body.unit, body))

    @api.post("/forms/{unit}/close", **documents.answers(answers.FormTurned))
    async def close_form(runtime: http.Serving, unit: Unit, body: FormClosing, caller: http.Command) -> Response:
        """Closes the public form of a unit. The page says that it takes nothing, and where else to turn."""
        return http.json_response(await offered.change(runtime, caller, unit, body))
