"""PostgreSQL holds the same rows as a SQLite file."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.escalation import test_notices, test_surges
from tests.escalation import test_service as on
from tests.escalation.conftest import Desk


@pytest.mark.postgres
@pytest.mark.parametrize(
    "flow",
    [
        on.test_events_become_clocks_with_pack_and_basis,
        on.test_a_matter_that_nobody_grades_is_breached_all_the_same,
        on.test_a_value_that_is_set_wakes_the_matters_of_its_pack,
        on.test_an_explained_breach_is_not_looked_at_again_for_its_circular,
        on.test_an_open_dead_letter_is_waited_for_too,
        on.test_a_merged_matter_keeps_its_breaches_and_what_was_done_counts_where_it_goes_on,
        on.test_views_are_the_same_after_the_same_events,
        on.test_the_list_of_clocks_shows_the_own_units_and_pages,
        on.test_what_is_entered_late_shows_both_figures_and_a_finding_says_which_counts,
        on.test_a_report_upward_and_its_receipt_over_http,
        test_notices.test_a_notice_and_its_answer_over_http,
        on.test_the_roster_is_planned_and_read,
        on.test_a_day_at_the_desk,
        test_surges.test_reports_of_one_category_are_counted_and_the_warning_is_read_over_http,
    ],
    ids=lambda flow: flow.__name__,
)
async def test_escalation_answers_alike(desk_on_postgres: Desk, flow: Callable[[Desk], Awaitable[None]]) -> None:
    await flow(desk_on_postgres)


@pytest.mark.postgres
async def test_packs_are_kept_alike(desk_on_postgres: Desk, tmp_path: Path) -> None:
    await on.test_a_newer_pack_and_an_edited_file_change_nothing_of_an_earlier_matter(desk_on_postgres, tmp_path)
