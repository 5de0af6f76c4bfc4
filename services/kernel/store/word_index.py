"""Finds words in a service's content records, through the database's own full-text means.

The index holds the pairs of neighbouring characters of each text, so it needs no dictionary and serves Chinese and
Latin text alike. On PostgreSQL it is a GIN index over an expression, in which each pair is a number: GIN takes numbers
in half the time of texts. On SQLite it is an FTS5 table that triggers keep. So it
always holds exactly the words of `contents`, whoever writes or erases them. It is made at the start of a service, and
from the words at hand if it is missing: it is no table of the record, and no migration or replay knows it.

`contents` also holds reasons, notes and the words of searches. A caller names the columns whose texts it asks for, so
that no others take up its limit.

A service may have the same index over a table of its own views, such as texts that are public (`Indexed`).
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Column, TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.kernel.store.database import Database, is_sqlite

INDEXED = 4000
"""Characters of a text that are indexed, from its beginning."""
ASKED = 64
"""At most so many pairs are asked for at once."""
OF_ONE = 200
"""At most so many texts are taken for one pair of a `nearest`."""
STEP = 500
"""Pages that one step of `forget` writes."""
Columns = tuple[Column[Any], ...]
"""Columns with references to texts. Each needs an index."""


class Indexed(NamedTuple):
    """An index over the rows of a table, which never change. The values are written into statements as they are."""

    name: str
    table: str
    words: tuple[str, ...]
    """Columns with words; one text, a line for each."""
    found: str
    """The column that a search returns."""
    newest: str
    """The column by which the newest come first."""
    key: tuple[str, ...]
    """The table's primary key."""

    def text(self, row: str) -> str:
        """The words of a row as one expression."""
        if len(self.words) == 1:
            return f"{row}{self.words[0]}"
        return " || char(10) || ".join(f"coalesce({row}{word}, '')" for word in self.words)


CONTENTS = Indexed("word_pairs", "contents", ("words",), "ref", "ref", ("ref",))
_ASCII = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def plain(words: str) -> str:
    """The text in the form in which it is indexed and compared: Latin letters small."""
    return words.translate(_ASCII)


def pairs_of(words: str) -> list[str]:
    """Each pair of neighbouring characters that has no white space, in order, once."""
    told = plain(words)
    pairs = (told[at : at + 2] for at in range(len(told) - 1))
    return [pair for pair in dict.fromkeys(pairs) if not any(map(str.isspace, pair))]


async def make(database: Database, of: Indexed = CONTENTS) -> None:
    """Makes the index unless it is there. Only the leader calls it."""
    async with database.transaction() as connection:
        there = text("select 1 from sqlite_master where name = :name")
        if not is_sqlite(connection):
            for statement in _postgres(of):
                await connection.execute(text(statement))
        elif not (await connection.execute(there, {"name": of.name})).first():
            for statement in _sqlite(of):
                await connection.exec_driver_sql(statement)


async def nearest(
    connection: AsyncConnection, weights: Mapping[str, float], of: Columns, limit: int
) -> dict[str, float]:
    """References in `of` to texts with some of these pairs, and the sum of the weights of the pairs that each has.

    The heaviest come first. At most `ASKED` pairs count, and at most `OF_ONE` texts for each pair.
    """
    if not weights:
        return {}
    assert len(weights) <= ASKED, "the caller chooses the pairs"
    if is_sqlite(connection):
        values: dict[str, Any] = {"limit": limit}
        for at, (pair, weight) in enumerate(weights.items()):
            values |= {f"pair{at}": _token(pair), f"weight{at}": weight}
        found = await connection.execute(_nearest_in_fts5(len(weights), of), values)
    else:
        values = {"pairs": list(map(_number, weights)), "weights": list(weights.values()), "limit": limit}
        found = await connection.execute(_nearest_in_gin(of), values)
    return {row.ref: row.weight for row in found}


async def holding(connection: AsyncConnection, word: str, of: Columns | Indexed, limit: int) -> tuple[list[str], bool]:
    """References in `of` to the texts that hold a word, newest first, and whether all texts were looked at.

    For the index of another table these are the values of its `found`, each once for each text.

    At most `limit` texts with all pairs of the word are looked at, the newest. On SQLite these are the texts that came
    last, since FTS5 finds them in this order and then stops.
    """
    told, pairs = plain(word), pairs_of(word)[:ASKED]
    assert pairs, "the caller refuses a word without pairs"
    asked: dict[str, Any] = {"word": told, "limit": limit}
    if is_sqlite(connection):
        found = await connection.execute(_holding_in_fts5(of), asked | {"all": " AND ".join(map(_token, pairs))})
    else:
        found = await connection.execute(_holding_in_gin(of), asked | {"pairs": list(map(_number, pairs))})
    rows = found.all()
    return [ref for ref, holds in rows if holds], len(rows) < limit


async def forget(database: Database) -> None:
    """Removes pairs of erased words from the file. FTS5 only marks them, and drops them when it merges its segments.

    It goes in short steps, so that writers hardly wait. PostgreSQL's VACUUM does it there.
    """
    if not database.is_sqlite:
        return
    size = -STEP
    while True:
        async with database.transaction() as connection:
            if not (await connection.execute(text("select 1 from sqlite_master where name = 'word_pairs'"))).first():
                return
            changes = text("select total_changes()")
            before = (await connection.execute(changes)).scalar_one()
            merge = text("insert into word_pairs(word_pairs, rank) values ('merge', :size)")
            await connection.execute(merge, {"size": size})
            if (await connection.execute(changes)).scalar_one() - before < 2:
                return
        size = STEP


def _token(pair: str) -> str:
    """FTS5 sees each pair as one token: its bytes in hexadecimal digits."""
    return f'"{pair.encode().hex()}"'


def _number(pair: str) -> int:
    """GIN sees each pair as one number, made of its two code points."""
    one, other = map(ord, pair)
    return one << 21 | other


def _pairs_in_sqlite(words: str) -> str:
    # The beginning is cut off once. SQLite would count a long text anew for each pair, while all other writers wait.
    told = f"select lower(substr({words}, 1, {INDEXED})), min(length({words}), {INDEXED}) - 1"
    counted = "select 1 union all select n + 1 from at where n < (select pairs from told)"
    return (
        f"(with recursive told(words, pairs) as materialized ({told}), at(n) as ({counted}) "
        "select group_concat(hex(substr(words, n, 2)), ' ') from told, at)"
    )


def _sqlite(of: Indexed) -> tuple[str, ...]:
    name, table = of.name, of.table
    pairs = {row: _pairs_in_sqlite(of.text(f"{row}.")) for row in (table, "new", "old")}
    return (
        f"create view {name}_of as select rowid, {pairs[table]} as pairs from {table}",
        f"create virtual table {name} using fts5(pairs, content='{name}_of', detail=none, tokenize='ascii')",
        f"""create trigger {name}_come after insert on {table} begin
            insert into {name}(rowid, pairs) values (new.rowid, {pairs["new"]});
        end""",
        f"""create trigger {name}_go after delete on {table} begin
            insert into {name}({name}, rowid, pairs) values ('delete', old.rowid, {pairs["old"]});
        end""",
        f"insert into {name}({name}) values ('rebuild')",
    )


def _postgres(of: Indexed) -> tuple[str, ...]:
    # The cost keeps the planner from reading the table, which would take the pairs of every text. PL/pgSQL keeps the
    # plan of its query, so it takes half the time of a function in plain SQL.
    function = f"""create or replace function word_pairs(words text) returns bigint[]
    language plpgsql immutable strict parallel safe cost 10000 as $$
    declare
        told text := lower(left(words, {INDEXED}) collate "C");
    begin
        return array(
            select ascii(one)::bigint << 21 | ascii(other)
            from unnest(string_to_array(told, null), string_to_array(substr(told, 2), null)) as pair(one, other)
            where other is not null
        );
    end $$"""
    return (
        function,
        f"create index if not exists {of.name} on {of.table} using gin (word_pairs({_in_postgres(of)}))",
    )


def _in_postgres(of: Indexed) -> str:
    return of.text("").replace("char(10)", "chr(10)")


def _told(of: Columns) -> str:
    """The condition that a column refers to the row of `contents`.

    It is one `exists`. For several with `or` between them PostgreSQL may read every row of these tables.
    """
    parts = (f"select 1 from {column.table.name} where {column} = contents.ref" for column in of)
    return f"exists ({' union all '.join(parts)})"


@lru_cache(ASKED)
def _holding_in_fts5(asked: Columns | Indexed) -> TextClause:
    of, also = (asked, "") if isinstance(asked, Indexed) else (CONTENTS, f"and {_told(asked)} ")
    return text(
        f"with found as (select {of.table}.{of.found} as ref, {of.newest} as newest, "
        f"instr(lower({of.text(f'{of.table}.')}), :word) > 0 as holds "
        f"from {of.name} cross join {of.table} on {of.table}.rowid = {of.name}.rowid "
        f"where {of.name} match :all {also}order by {of.name}.rowid desc limit :limit) "
        "select ref, holds from found order by newest desc"
    )


@lru_cache(ASKED)
def _holding_in_gin(asked: Columns | Indexed) -> TextClause:
    of, also = (asked, "") if isinstance(asked, Indexed) else (CONTENTS, f"where {_told(asked)} ")
    words, columns = _in_postgres(of), ", ".join(dict.fromkeys((of.newest, *of.key)))
    return text(
        # What is inside is sorted first, so that the columns are asked for the newest texts alone.
        f"with found as (select {columns} from (select {columns} from {of.table} "
        f"where word_pairs({words}) @> cast(:pairs as bigint[]) order by {of.newest} desc offset 0) as {of.table} "
        f"{also}order by {of.newest} desc limit :limit) "
        f"""select {of.found} as ref, strpos(lower(({words}) collate "C"), :word) > 0 as holds """
        f"from found join {of.table} using ({columns}) order by {of.newest} desc"
    )


@lru_cache(ASKED)
def _nearest_in_fts5(count: int, of: Columns) -> TextClause:
    """SQLite has no lateral join, so each pair is a part of the statement."""
    parts = (
        f"select * from (select contents.ref, cast(:weight{at} as real) as weight "
        "from word_pairs cross join contents on contents.rowid = word_pairs.rowid "
        f"where word_pairs match :pair{at} and {_told(of)} order by word_pairs.rowid desc limit {OF_ONE})"
        for at in range(count)
    )
    return text(
        f"select ref, sum(weight) as weight from ({' union all '.join(parts)}) group by ref "
        "order by weight desc, ref desc limit :limit"
    )


@lru_cache(ASKED)
def _nearest_in_gin(of: Columns) -> TextClause:
    return text(
        f"""select found.ref, sum(asked.weight) as weight
        from unnest(cast(:pairs as bigint[]), cast(:weights as float8[])) as asked(pair, weight)
        cross join lateral (
            select ref from contents where word_pairs(words) @> array[asked.pair] and {_told(of)} limit {OF_ONE}
        ) as found
        group by found.ref order by weight desc, found.ref desc limit :limit"""
    )
