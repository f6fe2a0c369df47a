/*
 * net.c
 *		What a handful of ledger rows makes of a session's and its accounts' counts.
 *
 * Both who shows the exact state (the view, under the caller's snapshot) and
 * who makes it permanent (the fold) come here, so they cannot disagree.
 *
 * Additions commute.  An absolute value does not: the latest call wins, and an
 * addition called before it is part of it, whenever its transaction happens to
 * commit.  So rows carry the time of the call, and each target remembers the
 * stamp of the newest absolute value it took.
 *
 * A report is neither: an outside worker says how far it is, and the network
 * repeats what it says, holds it up and changes the order.  So a report only
 * raises the count, to at least what it says, and that makes it the same how
 * often and in which order it comes.  What else it says, a total and a
 * message, is believed only if it is not late, that is, if the count was not
 * beyond it already; else an old message would come back.  Additions called
 * before it are part of it, later ones add to it, and an absolute value called
 * later ends it, as it does an addition.  Its label is "<total> <message>":
 * the total's digits or nothing, then, if there is a message, a space and it.
 *
 * Pure: rows and counts in, counts out.
 */
#include "net.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Sums saturate at what JSON readers keep exact; they never wrap or fail. */
int64_t
sp_net_add(int64_t a, int64_t b)
{
	int64_t		sum;

	if (__builtin_add_overflow(a, b, &sum))
		return a > 0 ? SP_COUNT_MAX : -SP_COUNT_MAX;
	return sum > SP_COUNT_MAX ? SP_COUNT_MAX : sum < -SP_COUNT_MAX ? -SP_COUNT_MAX : sum;
}

/* Whether the row says how far its session is: what is throttled. */
bool
sp_net_is_progress(const SpRow *row)
{
	return strchr("xXESAK", row->op) == NULL;
}

/*
 * Whether its session, if it is pending, has begun by it.  A tracked table
 * says itself when it does.
 */
bool
sp_net_begins(const SpRow *row)
{
	return sp_net_is_progress(row) && strchr("QDRU", row->op) == NULL;
}

/* Order for qsort(): rows of a session together, in them rows of an account. */
int
sp_net_compare(const void *a, const void *b)
{
	const SpRow *x = a;
	const SpRow *y = b;

	if (x->session != y->session)
		return x->session < y->session ? -1 : 1;
	if (x->account != y->account)
		return x->account < y->account ? -1 : 1;
	return x->stamp < y->stamp ? -1 : x->stamp > y->stamp;
}

/* The value, if it is newer than the one there is, which is as old as *set_at. */
static void
take_newer(int64_t *value, int64_t *set_at, const SpRow *row)
{
	if (row->stamp <= *set_at)
		return;
	*value = row->amount;
	*set_at = row->stamp;
}

/* Takes over absolute values newer than those that the target has. */
static void
take_absolute(SpCounts *target, const SpRow *row)
{
	if (row->op == SP_OP_SET_PROCESSED || row->op == SP_OP_TABLE_PROCESSED)
		take_newer(&target->processed, &target->processed_set_at, row);
	else if (row->op == SP_OP_TABLE_DETECTED)
		take_newer(&target->detected, &target->detected_set_at, row);
	else if (row->op == SP_OP_TABLE_ERROR)
		take_newer(&target->error, &target->error_set_at, row);
	else if ((row->op == SP_OP_SET_TOTAL || row->op == SP_OP_TABLE_TOTAL) && row->stamp > sp_net_when(target->total_set_at))
	{
		target->has_total = row->op == SP_OP_SET_TOTAL || row->amount >= 0;
		target->total = target->has_total ? row->amount : 0;
		target->total_set_at = row->stamp;
	}
	else if ((row->op == SP_OP_STATUS || row->op == SP_OP_GONE) && row->stamp > target->status_at)
	{
		target->gone = row->op == SP_OP_GONE;
		target->status = target->gone ? NULL : row->label;
		target->status_at = row->stamp;
	}
	else if (row->op == SP_OP_SET_MESSAGE && row->stamp > sp_net_when(target->message_set_at))
	{
		target->message = row->label;
		target->message_set_at = row->stamp;
	}
}

/* Adds what was called after the absolute value that the target has. */
static void
add_relative(SpCounts *target, const SpRow *row)
{
	if (row->op == SP_OP_PROCESSED && row->stamp > target->processed_set_at)
		target->processed = sp_net_add(target->processed, row->amount);
	else if (row->op == SP_OP_DETECTED && row->stamp > target->detected_set_at)
		target->detected = sp_net_add(target->detected, row->amount);
	else if (row->op == SP_OP_ERROR && row->stamp > target->error_set_at)
		target->error = sp_net_add(target->error, row->amount);
	else if (row->op == SP_OP_TOTAL && row->stamp > sp_net_when(target->total_set_at))
	{
		/* a first addition to an unknown total makes it known */
		target->total = sp_net_add(target->has_total ? target->total : 0, row->amount);
		target->has_total = true;
	}
}

/*
 * Apply one account's rows to it.
 *
 * Returns by how much its processed count changed beyond its additions: what
 * an absolute value for an account means to the session, whose own count is
 * the sum of its accounts' movements.
 */
static int64_t
apply_account(SpCounts *account, const SpRow *rows, int nrows, int64_t session_set_at)
{
	int64_t		before = account->processed;
	int64_t		set_before = account->processed_set_at;
	int64_t		added = 0;
	bool		alone = false;

	for (int i = 0; i < nrows; i++)
	{
		take_absolute(account, &rows[i]);
		/* its session's table counts for itself: do not count twice */
		alone = alone || rows[i].op == SP_OP_TABLE_PROCESSED;
	}
	for (int i = 0; i < nrows; i++)
	{
		add_relative(account, &rows[i]);
		if (rows[i].op == SP_OP_PROCESSED && rows[i].stamp > session_set_at)
			added = sp_net_add(added, rows[i].amount);
	}
	if (alone || account->processed_set_at == set_before || account->processed_set_at <= session_set_at)
		return 0;
	return sp_net_add(sp_net_add(account->processed, -before), -added);
}

/*
 * How many of the total are a share of it: the fewest that show as its whole
 * percentage.  Below a hundred not every percentage can be shown; then rather
 * less than was reported than more.
 */
static int64_t
count_of(int64_t share, int64_t total)
{
	int64_t		count;

	if (total <= 0)
		return 0;
	count = total / SP_WHOLE * share + (total % SP_WHOLE * share + SP_WHOLE - 1) / SP_WHOLE;
	if (count > 0 && 100 * count / total > share / (SP_WHOLE / 100))
		count--;
	return count;
}

static bool
is_report(const SpRow *row)
{
	return row->op == SP_OP_REPORT_COUNT || row->op == SP_OP_REPORT_SHARE;
}

/*
 * Whether a report knows better than what was set at that time.  Of two reports
 * that were under way at once the higher does, whichever was called first;
 * beside anything else its time counts, and so set_at says who set it.
 */
static bool
is_newer(int64_t set_at, const SpRow *report, bool raises)
{
	return report->stamp > sp_net_when(set_at) || (raises && set_at < 0);
}

static void
set_by_report(int64_t *set_at, const SpRow *report)
{
	int64_t		before = sp_net_when(*set_at);

	*set_at = -(report->stamp > before ? report->stamp : before);
}

/* Takes a report into a session to which everything called before is applied. */
static void
take_report(SpCounts *session, const SpRow *report)
{
	bool		is_share = report->op == SP_OP_REPORT_SHARE;
	int64_t		total = 100;	/* of a percentage that has none */
	bool		has_total = false;
	bool		raises;
	int64_t		count = report->amount;
	char	   *end = (char *) report->label;

	if (report->stamp <= session->processed_set_at)
		return;
	if (report->label != NULL && report->label[0] >= '0' && report->label[0] <= '9')
	{
		total = strtoll(report->label, &end, 10);
		has_total = true;
	}
	/* a share is late by what the total was: with another one counts may fall */
	if (is_share)
		count = count_of(report->amount, session->has_total ? session->total : total);
	if (count < session->processed)
		return;
	raises = count > session->processed;

	if (has_total ? is_newer(session->total_set_at, report, raises) : is_share && !session->has_total)
	{
		session->total = total;
		session->has_total = true;
		/* any total that is ever said takes the place of a supposed one */
		if (has_total)
			set_by_report(&session->total_set_at, report);
	}
	if (is_share)
		count = count_of(report->amount, session->total);
	if (count > session->processed)
		session->processed = count;
	if (end != NULL && *end == ' ' && is_newer(session->message_set_at, report, raises))
	{
		session->message = end + 1;
		set_by_report(&session->message_set_at, report);
	}
}

/*
 * Apply rows that have reports among them to the session: one by one in the
 * order of their calls, since how a report is taken depends on what was before
 * it.  The session's own rows, the first "own", are in that order; what its
 * accounts add is put in where it matters.
 */
static void
apply_in_order(SpCounts *session, const SpRow *rows, int nrows, int own)
{
	int64_t		last = INT64_MIN;

	for (int i = 0; i <= own; i++)
	{
		int64_t		stamp = i < own ? rows[i].stamp : INT64_MAX;

		if (i == own || is_report(&rows[i]) || rows[i].op == SP_OP_SET_PROCESSED || rows[i].op == SP_OP_SET_TOTAL ||
			rows[i].op == SP_OP_TABLE_PROCESSED || rows[i].op == SP_OP_TABLE_TOTAL)
		{
			for (int n = own; n < nrows; n++)
			{
				if (rows[n].stamp > last && rows[n].stamp <= stamp)
					add_relative(session, &rows[n]);
			}
			last = stamp;
		}
		if (i == own)
			break;
		if (is_report(&rows[i]))
			take_report(session, &rows[i]);
		take_absolute(session, &rows[i]);
		add_relative(session, &rows[i]);
	}
}

/* Likewise without reports: then additions can be added up in any order. */
static void
apply_at_once(SpCounts *session, const SpRow *rows, int nrows, int own)
{
	for (int i = 0; i < own; i++)
		take_absolute(session, &rows[i]);
	for (int i = 0; i < nrows; i++)
		add_relative(session, &rows[i]);
}

/*
 * Apply a session's rows, in the order of sp_net_compare(), to it and to its
 * accounts.  "accounts" has those of the accounts named in the rows that still
 * exist; what is counted for one that does not counts for the session alone.
 */
void
sp_net_apply(SpCounts *session, SpCounts *accounts, int naccounts,
			 const SpRow *rows, int nrows)
{
	int64_t		moved = 0;
	bool		in_order = false;
	int			own = 0;

	for (; own < nrows && rows[own].account == 0; own++)
		in_order = in_order || is_report(&rows[own]);
	if (in_order)
		apply_in_order(session, rows, nrows, own);
	else
		apply_at_once(session, rows, nrows, own);

	for (int first = 0, last; first < nrows; first = last)
	{
		for (last = first; last < nrows && rows[last].account == rows[first].account;)
			last++;
		for (int i = 0; i < naccounts && rows[first].account != 0; i++)
		{
			if (accounts[i].id != rows[first].account)
				continue;
			moved = sp_net_add(moved, apply_account(&accounts[i], &rows[first], last - first,
													session->processed_set_at));
			if (accounts[i].has_total && accounts[i].total < 0)
				accounts[i].total = 0;
			break;
		}
	}
	session->processed = sp_net_add(session->processed, moved);
	if (session->has_total && session->total < 0)
		session->total = 0;
}
