"""PostgreSQL holds the same rows as a SQLite file."""

from collections.abc import Awaitable, Callable

import pytest

from tests.publish import test_api, test_bulletin
from tests.publish.conftest import Office


@pytest.mark.postgres
@pytest.mark.parametrize(
    "flow",
    [
        test_api.test_a_statement_from_draft_to_withdrawal,
        test_api.test_a_repeated_key_answers_the_same,
        test_api.test_lists_are_paged_filtered_and_kept_to_the_subtree,
        test_api.test_erased_words_are_marked_and_not_published,
        test_bulletin.test_corrections_and_the_withdrawal_stand_beside_the_old_text,
        test_bulletin.test_a_second_approved_statement_names_the_one_that_it_updates,
        test_bulletin.test_atom_field_by_field,
    ],
    ids=lambda flow: flow.__name__,
)
async def test_publish_answers_alike(office_on_postgres: Office, flow: Callable[[Office], Awaitable[None]]) -> None:
    await flow(office_on_postgres)
