"""PostgreSQL holds the same rows as a SQLite file."""

from collections.abc import Awaitable, Callable

import pytest

from tests.publish import test_accountability, test_api, test_bulletin, test_status
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
        test_status.test_a_receipt_tells_how_far_the_matter_is_and_what_is_due,
        test_status.test_a_number_tells_only_of_matters_on_which_something_was_published,
        test_accountability.test_a_month_is_counted_from_events_for_a_unit_and_those_above_it,
        test_accountability.test_a_matter_that_moved_or_came_back_is_open_where_and_when_it_was,
    ],
    ids=lambda flow: flow.__name__,
)
async def test_publish_answers_alike(office_on_postgres: Office, flow: Callable[[Office], Awaitable[None]]) -> None:
    await flow(office_on_postgres)
