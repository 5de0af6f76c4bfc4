"""HTTP of mailboxes: staff see how each is. They are named in a file, by whoever runs the deployment."""

import functools

from fastapi import APIRouter, Response

from services.ingest import answers
from services.ingest.mail import noted
from services.kernel.serving import documents, http


@functools.cache
def router() -> APIRouter:
    """`/ingest/v1/mailboxes`."""
    api = http.router("/ingest/v1", "mail_api")

    @api.get("/mailboxes", **documents.answers(answers.Mailboxes))
    async def list_mailboxes(runtime: http.Serving, staff: http.Staff) -> Response:
        """The mailboxes whose mails become reports, and how each is. All staff may read it.

        Mails that were set aside became no reports and got no reply. Somebody should look into that folder.
        """
        async with runtime.database.read() as connection:
            items = await noted.listed(connection)
        return http.json_response({"items": items, "next": None})

    return api
