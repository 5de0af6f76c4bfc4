<%
    steps = "\n".join(line for line in (upgrades or "").splitlines() if not line.lstrip().startswith("# ###")).strip()
%>"""${message}."""

import sqlalchemy as sa
from alembic import op

from services.kernel.store.columns import key, serial

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    ${steps or "pass"}
