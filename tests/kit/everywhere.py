"""A search for words in every place where a deployment keeps bytes: files, tables, topics."""

import json
from collections.abc import AsyncIterator, Collection, Iterator
from pathlib import Path

from sqlalchemy import text

from schemas import catalogue
from services.kernel.delivery.log import EventLog
from services.kernel.store.database import Database

ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "gb18030")


def forms(words: str) -> list[bytes]:
    """The bytes as which words may stand somewhere."""
    return [*(words.encode(one) for one in ENCODINGS), json.dumps(words)[1:-1].encode()]


def in_files(folder: Path, wanted: Collection[str]) -> Iterator[str]:
    """`file: words` for all files below a folder that hold some of these words, freed pages and indexes included."""
    looked = [(words, forms(words)) for words in wanted]
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            held = path.read_bytes()
            yield from (f"{path.name}: {words}" for words, as_ in looked if any(one in held for one in as_))


async def in_tables(database: Database, words: str) -> AsyncIterator[str]:
    """Each table of a PostgreSQL database that shows these words in any column."""
    async with database.read() as connection:
        named = "select tablename from pg_tables where schemaname = 'public' order by 1"
        for (table,) in (await connection.execute(text(named))).all():
            rows = text(f"""select 1 from "{table}" t where t::text like :said or t::text like :hidden limit 1""")
            asked = {"said": f"%{words}%", "hidden": f"%{words.encode().hex()}%"}
            if (await connection.execute(rows, asked)).first():
                yield f"{database.location}: {table}"


async def in_topics(log: EventLog, words: str) -> AsyncIterator[str]:
    """Each topic that holds these words in a key or a value."""
    for service in catalogue.SERVICES:
        for topic in (*catalogue.event_topics(service), catalogue.content_topic(service)):
            begins, ends = await log.begins([topic]), await log.ends([topic])
            for partition, end in ends.items():
                async for records in log.read(partition, begins[partition], end):
                    for record in records:
                        if any(one in (record.key or b"") + b"\n" + (record.value or b"") for one in forms(words)):
                            yield f"{topic}/{partition.number}@{record.offset}"
