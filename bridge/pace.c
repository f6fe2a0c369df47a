/*
 * pace.c
 *		At most so many a second, over all workers.
 *
 * The same bucket as limit.c's, with a tenth of a second's worth of tokens in it:
 * one number, the time at which it is full again.  That lies in shared memory
 * and is changed by compare and swap, so nothing can be left locked or half
 * changed, and a worker that is killed leaves nothing behind but, for a moment,
 * one token too few.
 *
 * Pure: the caller says what time it is.
 */
#include "pace.h"

#include <stdbool.h>

#include "shared.h"

#define PACE_SECOND_NS	1000000000
#define PACE_BURST		10		/* of a second */

struct pace
{
	int64_t		full_ns;
} shared_line_aligned;

/* Before the workers are forked. */
struct pace *
pace_create(void)
{
	return shared_alloc(sizeof(struct pace));
}

/* Take a token: 0, or there is none for so many ns. */
int64_t
pace_take(struct pace *pace, int per_second, int64_t now_ns)
{
	int64_t		token_ns = PACE_SECOND_NS / per_second;
	int64_t		tokens = per_second / PACE_BURST;
	int64_t		full_ns = __atomic_load_n(&pace->full_ns, __ATOMIC_RELAXED);
	int64_t		then_ns;

	if (tokens < 1)
		tokens = 1;
	do
	{
		then_ns = (full_ns > now_ns ? full_ns : now_ns) + token_ns;
		if (then_ns > now_ns + tokens * token_ns)
			return then_ns - now_ns - tokens * token_ns;
	} while (!__atomic_compare_exchange_n(&pace->full_ns, &full_ns, then_ns, true,
										  __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return 0;
}

/* It was not needed. */
void
pace_return(struct pace *pace, int per_second)
{
	__atomic_fetch_sub(&pace->full_ns, PACE_SECOND_NS / per_second, __ATOMIC_RELAXED);
}
