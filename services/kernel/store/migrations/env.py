"""Alembic runs this file: it applies the revisions on an open connection, in its transaction."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy.dialects import registry
from sqlalchemy.types import TypeEngine

from services.kernel.store.columns import key, serial


def render(kind: str, item: Any, autogenerate: AutogenContext) -> str | Literal[False]:
    """Our column types by name; all others as usual."""
    if kind != "type":
        return False
    if (length := getattr(item, "length", None)) and same(item, key(length)):
        return f"key({length})"
    return "serial()" if same(item, serial()) else False


def same(one: TypeEngine[Any], other: TypeEngine[Any]) -> bool:
    """Whether both databases use the same type."""
    dialects = [registry.load(name)() for name in ("postgresql", "sqlite")]
    return all(one.compile(dialect) == other.compile(dialect) for dialect in dialects)


attributes = context.config.attributes
context.configure(
    connection=attributes["connection"],
    target_metadata=attributes["metadata"],
    render_item=render,
    render_as_batch=attributes.get("batch", False),
)
context.run_migrations()
