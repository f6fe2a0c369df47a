/*
 * balance.c
 *		Which worker takes the next connection?
 *
 * All of them listen on the same sockets, and the kernel wakes them all; who is
 * there first takes it.  Left to that, of 1,000 connections four workers had
 * between 39 and 541.  And after one was killed, the one in its place would
 * have its share only when all clients have come again.
 *
 * So who has more than another one that can serve, by more than a little, leaves
 * what comes to it and does not look for a moment; so does who cannot serve
 * watchers yet while others can.  If the others take none meanwhile, though there
 * is one, they are busy or stand still: then whatever comes is taken, until
 * they do again or for a while.  Nobody waits for long for the sake of an even
 * share.
 *
 * Pure: what the others have the caller has looked up, and the time.
 */
#include "balance.h"

#define BALANCE_MARGIN		4	/* and a part of what the other one has */
#define BALANCE_PART		32
#define BALANCE_UNEVEN_MS	20	/* how long it is left to others */
#define BALANCE_UNREADY_MS	1000
#define BALANCE_STUCK_MS	100 /* before they get another chance */
#define BALANCE_AT_ONCE_MS	5	/* it was there when the pause was over */

/* For how long, in this state, is a connection left to others? */
static int64_t
patience_ms(const struct balance_view *view)
{
	if (!view->others_ready)
		return 0;
	if (!view->is_ready)
		return BALANCE_UNREADY_MS;
	return view->connections > view->least + BALANCE_MARGIN + view->least / BALANCE_PART ?
		BALANCE_UNEVEN_MS : 0;
}

/*
 * A connection waits.  True: leave it to the others, and look again after
 * BALANCE_PAUSE_MS.
 */
bool
balance_leaves(struct balance *balance, const struct balance_view *view, int64_t now_ms)
{
	int64_t		patience = patience_ms(view);

	if (view->others_accepted != balance->accepted)
	{
		balance->accepted = view->others_accepted;
		balance->since_ms = now_ms;
		balance->stuck_ms = 0;
	}
	else if (balance->over_ms == 0 || now_ms > balance->over_ms + BALANCE_AT_ONCE_MS)
		balance->since_ms = now_ms;
	if (patience == 0 || now_ms < balance->stuck_ms)
		return false;
	if (now_ms - balance->since_ms >= patience)
	{
		balance->stuck_ms = now_ms + BALANCE_STUCK_MS;
		return false;
	}
	balance->over_ms = now_ms + BALANCE_PAUSE_MS;
	return true;
}
