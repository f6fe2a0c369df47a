/* Attempts grow rarer, up to a cap, and are spread. */
#include "backoff.h"
#include "tap.h"

int
main(void)
{
	struct backoff backoff = {.first_s = 0.2,.max_s = 5.0};
	double		last = 0.0;
	bool		grows = true;

	ok(backoff_next(&backoff, 0.0) == 0.1, "the first wait is at least half of the first interval");
	for (int i = 0; i < 4; i++)
	{
		double		wait = backoff_next(&backoff, 0.999999);

		grows = grows && wait > last * 1.9;
		last = wait;
	}
	ok(grows, "waits double");
	for (int i = 0; i < 100; i++)
		last = backoff_next(&backoff, 0.999999);
	ok(last > 4.9 && last <= 5.0, "they are capped");
	ok(backoff_next(&backoff, 0.0) == 2.5, "and never less than half of the cap then");
	backoff_reset(&backoff);
	ok(backoff_next(&backoff, 1.0) == 0.2, "a reset begins anew");
	return tap_done();
}
