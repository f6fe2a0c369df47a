/*
 * test_net.c
 *		What ledger rows make of counts: sums, absolute values, saturation.
 */
#include <stdlib.h>
#include <string.h>

#include "net.h"
#include "unit.h"

static SpRow
row(char op, int64_t amount, int64_t stamp, int64_t account)
{
	SpRow		made = {.session = 1, .op = op, .amount = amount, .stamp = stamp, .account = account};

	return made;
}

static void
additions_add_up(void **state)
{
	SpCounts	session = {.id = 1, .processed = 10, .has_total = true, .total = 100};
	SpRow		rows[] = {row('p', 5, 1, 0), row('p', -2, 2, 0), row('d', 7, 3, 0), row('e', 1, 4, 0), row('t', 50, 5, 0)};

	sp_net_apply(&session, NULL, 0, rows, 5);
	assert_int_equal(session.processed, 13);
	assert_int_equal(session.detected, 7);
	assert_int_equal(session.error, 1);
	assert_int_equal(session.total, 150);
}

static void
an_account_counts_for_its_session_too(void **state)
{
	SpCounts	session = {.id = 1};
	SpCounts	accounts[] = {{.id = 7}, {.id = 8}};
	SpRow		rows[] = {row('p', 1, 1, 0), row('p', 2, 2, 7), row('d', 3, 3, 7), row('p', 4, 4, 8)};

	sp_net_apply(&session, accounts, 2, rows, 4);
	assert_int_equal(session.processed, 7);
	assert_int_equal(session.detected, 3);
	assert_int_equal(accounts[0].processed, 2);
	assert_int_equal(accounts[0].detected, 3);
	assert_int_equal(accounts[1].processed, 4);
}

static void
what_is_counted_for_a_deleted_account_counts_for_the_session(void **state)
{
	SpCounts	session = {.id = 1};
	SpRow		rows[] = {row('p', 2, 1, 7)};

	sp_net_apply(&session, NULL, 0, rows, 1);
	assert_int_equal(session.processed, 2);
}

static void
an_absolute_value_swallows_what_was_called_before(void **state)
{
	SpCounts	session = {.id = 1, .processed = 3};
	SpRow		rows[] = {row('p', 10, 1, 0), row('P', 50, 2, 0), row('p', 4, 3, 0)};

	sp_net_apply(&session, NULL, 0, rows, 3);
	assert_int_equal(session.processed, 54);
	assert_int_equal(session.processed_set_at, 2);
}

static void
the_latest_absolute_value_wins(void **state)
{
	SpCounts	session = {.id = 1, .processed_set_at = 10, .processed = 5};
	SpRow		rows[] = {row('P', 50, 9, 0)};
	SpRow		late[] = {row('P', 60, 12, 0), row('P', 70, 11, 0)};

	sp_net_apply(&session, NULL, 0, rows, 1);
	assert_int_equal(session.processed, 5);
	qsort(late, 2, sizeof(SpRow), sp_net_compare);
	sp_net_apply(&session, NULL, 0, late, 2);
	assert_int_equal(session.processed, 60);
}

/* Its transaction was long: it commits after the absolute value was folded. */
static void
an_addition_called_before_a_folded_absolute_value_is_part_of_it(void **state)
{
	SpCounts	session = {.id = 1, .processed = 50, .processed_set_at = 10};
	SpRow		rows[] = {row('p', 4, 9, 0), row('p', 1, 11, 0)};

	sp_net_apply(&session, NULL, 0, rows, 2);
	assert_int_equal(session.processed, 51);
}

static void
an_accounts_absolute_value_moves_its_session_by_the_difference(void **state)
{
	SpCounts	session = {.id = 1, .processed = 30};
	SpCounts	account = {.id = 7, .processed = 10};
	SpRow		rows[] = {row('p', 5, 1, 7), row('P', 40, 2, 7), row('p', 3, 3, 7)};

	sp_net_apply(&session, &account, 1, rows, 3);
	assert_int_equal(account.processed, 43);
	assert_int_equal(session.processed, 63);
}

static void
a_first_addition_makes_an_unknown_total_known(void **state)
{
	SpCounts	session = {.id = 1};
	SpRow		rows[] = {row('t', 5, 1, 0), row('t', 6, 2, 0)};

	sp_net_apply(&session, NULL, 0, rows, 2);
	assert_true(session.has_total);
	assert_int_equal(session.total, 11);
}

static void
a_total_is_never_negative(void **state)
{
	SpCounts	session = {.id = 1, .has_total = true, .total = 5};
	SpRow		rows[] = {row('t', -50, 1, 0)};

	sp_net_apply(&session, NULL, 0, rows, 1);
	assert_int_equal(session.total, 0);
}

static void
sums_saturate(void **state)
{
	assert_int_equal(sp_net_add(SP_COUNT_MAX, 1), SP_COUNT_MAX);
	assert_int_equal(sp_net_add(-SP_COUNT_MAX, -1), -SP_COUNT_MAX);
	assert_int_equal(sp_net_add(INT64_MAX, INT64_MAX), SP_COUNT_MAX);
	assert_int_equal(sp_net_add(INT64_MIN, INT64_MIN), -SP_COUNT_MAX);
	assert_int_equal(sp_net_add(SP_COUNT_MAX, -1), SP_COUNT_MAX - 1);
}

static void
a_message_is_the_latest(void **state)
{
	SpCounts	session = {.id = 1, .message_set_at = 5};
	SpRow		rows[] = {row('M', 0, 4, 0), row('M', 0, 6, 0)};

	rows[0].label = "old";
	rows[1].label = "new";
	sp_net_apply(&session, NULL, 0, rows, 2);
	assert_string_equal(session.message, "new");
}

static void
a_touch_changes_no_count(void **state)
{
	SpCounts	session = {.id = 1, .processed = 4};
	SpRow		rows[] = {row('x', 9, 1, 0), row('X', 9, 2, 0)};

	sp_net_apply(&session, NULL, 0, rows, 2);
	assert_int_equal(session.processed, 4);
	assert_false(session.has_total);
}

static SpRow
said(char op, const char *label, int64_t stamp, int64_t account)
{
	SpRow		made = {.session = 1, .op = op, .label = label, .stamp = stamp, .account = account};

	return made;
}

static void
every_count_has_an_absolute_value(void **state)
{
	SpCounts	session = {.id = 1, .detected = 3, .error = 4};
	SpRow		rows[] = {row('d', 10, 1, 0), row('D', 50, 2, 0), row('d', 4, 3, 0),
	row('e', 10, 4, 0), row('R', 7, 5, 0), row('e', 1, 6, 0)};
	SpRow		late[] = {row('d', 100, 1, 0), row('R', 1, 4, 0)};

	sp_net_apply(&session, NULL, 0, rows, 6);
	assert_int_equal(session.detected, 54);
	assert_int_equal(session.error, 8);
	sp_net_apply(&session, NULL, 0, late, 2);
	assert_int_equal(session.detected, 54);
	assert_int_equal(session.error, 8);
}

static void
a_total_becomes_unknown_and_known_again(void **state)
{
	SpCounts	session = {.id = 1, .has_total = true, .total = 100};
	SpRow		rows[] = {row('t', 5, 1, 0), row('U', -1, 2, 0)};
	SpRow		more[] = {row('U', 7, 3, 0), row('t', 1, 4, 0)};

	sp_net_apply(&session, NULL, 0, rows, 2);
	assert_false(session.has_total);
	sp_net_apply(&session, NULL, 0, more, 2);
	assert_true(session.has_total);
	assert_int_equal(session.total, 8);
}

static void
a_part_with_a_table_of_its_own_leaves_its_session_alone(void **state)
{
	SpCounts	session = {.id = 1, .processed = 5};
	SpCounts	accounts[] = {{.id = 7, .processed = 3}};
	SpRow		rows[] = {row('Q', 50, 1, 7), row('p', 2, 2, 7), row('D', 9, 3, 7)};

	sp_net_apply(&session, accounts, 1, rows, 3);
	assert_int_equal(accounts[0].processed, 52);
	assert_int_equal(accounts[0].detected, 9);
	assert_int_equal(session.processed, 7);
	assert_int_equal(session.detected, 0);
}

static void
the_newest_status_wins_and_so_does_a_deletion(void **state)
{
	SpCounts	session = {.id = 1};
	SpCounts	deleted = {.id = 1};
	SpCounts	back = {.id = 1};
	SpCounts	accounts[] = {{.id = 7}};
	SpRow		rows[] = {said('S', "paused", 1, 0), said('S', "failed", 2, 0), said('K', NULL, 1, 7)};
	SpRow		gone[] = {said('S', "failed", 1, 0), said('K', NULL, 2, 0)};
	SpRow		again[] = {said('K', NULL, 1, 0), said('S', "pending", 2, 0)};

	sp_net_apply(&session, accounts, 1, rows, 3);
	assert_string_equal(session.status, "failed");
	assert_false(session.gone);
	assert_true(accounts[0].gone);
	assert_null(accounts[0].status);
	sp_net_apply(&deleted, NULL, 0, gone, 2);
	assert_true(deleted.gone);
	sp_net_apply(&back, NULL, 0, again, 2);
	assert_false(back.gone);
	assert_string_equal(back.status, "pending");
}

/* A report of a count, or in percent; its label is "<total> <message>". */
static SpRow
report(char op, int64_t amount, int64_t stamp, const char *label)
{
	SpRow		made = row(op, op == 'H' ? amount * (SP_WHOLE / 100) : amount, stamp, 0);

	made.label = label;
	return made;
}

static void
apply_sorted(SpCounts *session, SpRow *rows, int nrows)
{
	qsort(rows, nrows, sizeof(SpRow), sp_net_compare);
	sp_net_apply(session, NULL, 0, rows, nrows);
}

static void
a_report_raises_and_never_lowers(void **state)
{
	SpCounts	session = {.id = 1, .processed = 30};
	SpRow		lower[] = {report('G', 20, 1, NULL)};
	SpRow		higher[] = {report('G', 40, 2, NULL)};

	sp_net_apply(&session, NULL, 0, lower, 1);
	assert_int_equal(session.processed, 30);
	sp_net_apply(&session, NULL, 0, higher, 1);
	assert_int_equal(session.processed, 40);
	sp_net_apply(&session, NULL, 0, higher, 1);
	assert_int_equal(session.processed, 40);
	assert_false(session.has_total);
	assert_null(session.message);
}

/*
 * [002-14] Whatever the network makes of five reports: every order, each
 * repeated, folded one by one or all at once.
 */
static void
reports_are_the_same_in_every_order(void **state)
{
	const SpRow reports[5] = {
		report('H', 10, 0, "1000 listing"), report('H', 40, 0, "1000 reading"), report('G', 480, 0, "800 writing"),
		report('H', 60, 0, "800 closing"), report('G', 300, 0, "2000")
	};

	for (int order = 0; order < 5 * 5 * 5 * 5 * 5; order++)
	{
		SpRow		rows[10];
		SpCounts	single = {.id = 1};
		SpCounts	once = {.id = 1};
		SpCounts	reversed = {.id = 1};
		int			seen = 0;
		int			rest = order;

		for (int i = 0; i < 5; i++, rest /= 5)
		{
			rows[i] = rows[9 - i] = reports[rest % 5];
			seen |= 1 << rest % 5;
		}
		if (seen != 31)
			continue;			/* one of them is missing */
		for (int i = 0; i < 10; i++)
		{
			rows[i].stamp = 100 + i;
			sp_net_apply(&single, NULL, 0, &rows[i], 1);
		}
		/* called in another order than they were committed in */
		for (int i = 0; i < 10; i++)
		{
			SpRow		late = rows[i];

			late.stamp = 200 - i;
			sp_net_apply(&reversed, NULL, 0, &late, 1);
		}
		sp_net_apply(&once, NULL, 0, rows, 10);
		assert_int_equal(reversed.processed, 480);
		assert_int_equal(reversed.total, 800);
		assert_true(strcmp(reversed.message, "writing") == 0 || strcmp(reversed.message, "closing") == 0);
		assert_int_equal(single.processed, 480);
		assert_int_equal(single.total, 800);
		assert_int_equal(once.processed, 480);
		assert_int_equal(once.total, 800);
		/* 480 of 800 are 60 %: of two equal reports either may be the later */
		assert_true(strcmp(single.message, "writing") == 0 || strcmp(single.message, "closing") == 0);
		assert_string_equal(once.message, single.message);
	}
}

static void
a_report_without_a_total_is_of_a_hundred(void **state)
{
	SpCounts	session = {.id = 1};
	SpRow		first[] = {report('H', 40, 1, NULL)};
	SpRow		counted[] = {report('G', 250, 2, "500 counted")};
	SpRow		last[] = {report('H', 100, 3, NULL)};

	sp_net_apply(&session, NULL, 0, first, 1);
	assert_int_equal(session.processed, 40);
	assert_int_equal(session.total, 100);
	assert_int_equal(session.total_set_at, 0);	/* any that is said takes its
												 * place */
	sp_net_apply(&session, NULL, 0, counted, 1);
	assert_int_equal(session.processed, 250);
	assert_int_equal(session.total, 500);
	sp_net_apply(&session, NULL, 0, last, 1);
	assert_int_equal(session.processed, 500);
}

/* What is shown is floor(100 x processed / total): it has to be what was reported. */
static void
a_share_shows_as_its_percentage(void **state)
{
	const int64_t totals[] = {100, 101, 113, 999, 1000, 12345, 1000003, SP_COUNT_MAX};

	for (size_t i = 0; i < sizeof(totals) / sizeof(totals[0]); i++)
	{
		for (int percent = 0; percent <= 100; percent++)
		{
			SpCounts	session = {.id = 1, .has_total = true, .total = totals[i]};
			SpRow		rows[] = {report('H', percent, 1, NULL)};

			sp_net_apply(&session, NULL, 0, rows, 1);
			assert_int_equal((int64_t) ((long double) session.processed * 100 / session.total), percent);
			assert_true(session.processed <= session.total);
		}
	}
	for (int total = 0; total < 100; total++)
	{
		for (int percent = 0; percent <= 100; percent++)
		{
			SpCounts	session = {.id = 1, .has_total = true, .total = total};
			SpRow		rows[] = {report('H', percent, 1, NULL)};

			sp_net_apply(&session, NULL, 0, rows, 1);
			assert_true(total == 0 || 100 * session.processed / total <= percent);	/* never more */
			assert_true(percent < 100 || session.processed == total);
		}
	}
}

static void
a_late_report_says_nothing_else_either(void **state)
{
	SpCounts	session = {.id = 1, .processed = 50, .has_total = true, .total = 80, .message_set_at = 1};
	SpRow		late[] = {report('G', 49, 5, "70 old")};
	SpRow		same[] = {report('G', 50, 6, "90 new one")};
	SpRow		empty[] = {report('G', 50, 7, " ")};

	sp_net_apply(&session, NULL, 0, late, 1);
	assert_int_equal(session.total, 80);
	assert_null(session.message);
	sp_net_apply(&session, NULL, 0, same, 1);
	assert_int_equal(session.total, 90);
	assert_string_equal(session.message, "new one");
	sp_net_apply(&session, NULL, 0, empty, 1);
	assert_string_equal(session.message, "");
	assert_int_equal(session.total, 90);
}

static void
additions_before_a_report_are_part_of_it_later_ones_add(void **state)
{
	SpCounts	session = {.id = 1, .processed = 10};
	SpRow		rows[] = {row('p', 5, 1, 0), report('G', 40, 2, NULL), row('p', 3, 3, 0), report('G', 41, 4, NULL), row('p', -1, 5, 0)};
	SpCounts	beyond = {.id = 1, .processed = 38};

	apply_sorted(&session, rows, 5);
	assert_int_equal(session.processed, 42);
	apply_sorted(&beyond, rows, 5);
	assert_int_equal(beyond.processed, 38 + 5 + 3 - 1);
}

static void
what_accounts_count_is_compared_with_reports_by_time_too(void **state)
{
	SpCounts	session = {.id = 1};
	SpCounts	account = {.id = 7};
	SpRow		rows[] = {report('G', 40, 2, "50"), report('H', 90, 4, NULL), row('p', 30, 1, 7), row('p', 3, 3, 7), row('t', 10, 3, 7)};

	sp_net_apply(&session, &account, 1, rows, 5);
	assert_int_equal(account.processed, 33);
	assert_int_equal(session.total, 60);
	assert_int_equal(session.processed, 54);
}

static void
an_absolute_value_ends_the_reports_before_it(void **state)
{
	SpCounts	session = {.id = 1, .processed = 90};
	SpRow		rows[] = {report('G', 95, 1, "100 old"), row('P', 0, 2, 0), report('G', 5, 3, NULL)};
	SpRow		late[] = {report('G', 80, 2, "200 late")};

	apply_sorted(&session, rows, 3);
	assert_int_equal(session.processed, 5);
	assert_int_equal(session.total, 100);
	assert_string_equal(session.message, "old");
	sp_net_apply(&session, NULL, 0, late, 1);
	assert_int_equal(session.processed, 5);
	assert_int_equal(session.total, 100);
}

/* A message and a total that were set by other means stay, if they were set later. */
static void
a_report_that_raises_knows_no_better_than_what_was_set_later(void **state)
{
	SpCounts	session = {.id = 1, .has_total = true, .total = 700, .total_set_at = 5, .message_set_at = 5};
	SpRow		rows[] = {report('G', 40, 4, "100 meshing"), report('G', 50, 6, "200 reading")};
	SpRow		set[] = {row('M', 0, 7, 0), row('T', 300, 7, 0)};
	SpRow		late[] = {report('G', 60, 3, "400 writing")};

	set[0].label = "stopped";
	sp_net_apply(&session, NULL, 0, rows, 1);
	assert_int_equal(session.processed, 40);
	assert_int_equal(session.total, 700);
	assert_null(session.message);
	sp_net_apply(&session, NULL, 0, &rows[1], 1);
	assert_int_equal(session.total, 200);
	assert_string_equal(session.message, "reading");
	sp_net_apply(&session, NULL, 0, set, 2);
	sp_net_apply(&session, NULL, 0, late, 1);
	assert_int_equal(session.processed, 60);
	assert_int_equal(session.total, 300);
	assert_string_equal(session.message, "stopped");
}

/* Or what is shown before a fold would differ from what is after it. */
static void
reports_among_other_rows_are_the_same_folded_together_or_alone(void **state)
{
	SpRow		rows[] = {
		report('H', 46, 1, "4000 a"), row('t', 100, 2, 0), row('T', 3600, 3, 0), report('H', 50, 4, NULL), row('p', 7, 5, 0),
		row('P', 0, 6, 0), row('p', 9, 7, 0), report('G', 8, 8, "9 late"), report('G', 9, 9, " b"), row('U', -1, 10, 0),
		report('H', 60, 11, NULL), row('M', 0, 12, 0), row('t', 20, 13, 0), report('H', 61, 14, "c")
	};
	const int	nrows = sizeof(rows) / sizeof(rows[0]);

	rows[11].label = "set";
	for (int cut = 0; cut <= nrows; cut++)
	{
		SpCounts	session = {.id = 1};

		sp_net_apply(&session, NULL, 0, rows, cut);
		sp_net_apply(&session, NULL, 0, rows + cut, nrows - cut);
		assert_int_equal(session.processed, 74);
		assert_int_equal(session.total, 120);
		if (cut <= 11)
			assert_string_equal(session.message, "set");
	}
}

static void
a_pending_run_begins_by_what_is_counted_not_by_what_a_table_says(void **state)
{
	for (const char *op = "pdetcPTMGH"; *op != '\0'; op++)
	{
		SpRow		counted = row(*op, 1, 1, 0);

		assert_true(sp_net_begins(&counted));
		assert_true(sp_net_is_progress(&counted));
	}
	for (const char *op = "QDRU"; *op != '\0'; op++)
	{
		SpRow		read = row(*op, 1, 1, 0);

		assert_false(sp_net_begins(&read));
		assert_true(sp_net_is_progress(&read));
	}
	for (const char *op = "SAKxXE"; *op != '\0'; op++)
	{
		SpRow		other = row(*op, 1, 1, 0);

		assert_false(sp_net_begins(&other));
		assert_false(sp_net_is_progress(&other));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(additions_add_up),
		cmocka_unit_test(an_account_counts_for_its_session_too),
		cmocka_unit_test(what_is_counted_for_a_deleted_account_counts_for_the_session),
		cmocka_unit_test(an_absolute_value_swallows_what_was_called_before),
		cmocka_unit_test(the_latest_absolute_value_wins),
		cmocka_unit_test(an_addition_called_before_a_folded_absolute_value_is_part_of_it),
		cmocka_unit_test(an_accounts_absolute_value_moves_its_session_by_the_difference),
		cmocka_unit_test(a_first_addition_makes_an_unknown_total_known),
		cmocka_unit_test(a_total_is_never_negative),
		cmocka_unit_test(sums_saturate),
		cmocka_unit_test(a_message_is_the_latest),
		cmocka_unit_test(a_touch_changes_no_count),
		cmocka_unit_test(every_count_has_an_absolute_value),
		cmocka_unit_test(a_total_becomes_unknown_and_known_again),
		cmocka_unit_test(a_part_with_a_table_of_its_own_leaves_its_session_alone),
		cmocka_unit_test(the_newest_status_wins_and_so_does_a_deletion),
		cmocka_unit_test(a_report_raises_and_never_lowers),
		cmocka_unit_test(reports_are_the_same_in_every_order),
		cmocka_unit_test(a_report_without_a_total_is_of_a_hundred),
		cmocka_unit_test(a_share_shows_as_its_percentage),
		cmocka_unit_test(a_late_report_says_nothing_else_either),
		cmocka_unit_test(additions_before_a_report_are_part_of_it_later_ones_add),
		cmocka_unit_test(what_accounts_count_is_compared_with_reports_by_time_too),
		cmocka_unit_test(an_absolute_value_ends_the_reports_before_it),
		cmocka_unit_test(a_report_that_raises_knows_no_better_than_what_was_set_later),
		cmocka_unit_test(reports_among_other_rows_are_the_same_folded_together_or_alone),
		cmocka_unit_test(a_pending_run_begins_by_what_is_counted_not_by_what_a_table_says),
	};

	return run_units(tests);
}
