/*
 * tap.h
 *		The Test Anything Protocol, as little of it as is needed.
 */
#ifndef TAP_H
#define TAP_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int	tap_count;
static int	tap_failed;

static inline bool
tap_ok(bool passed, const char *name, const char *file, int line)
{
	tap_count++;
	printf("%s %d - %s\n", passed ? "ok" : "not ok", tap_count, name);
	if (!passed)
	{
		tap_failed++;
		printf("# failed at %s:%d\n", file, line);
	}
	return passed;
}

static inline bool
tap_is(const char *got, const char *want, const char *name, const char *file, int line)
{
	bool		same = got && want ? strcmp(got, want) == 0 : got == want;

	if (!tap_ok(same, name, file, line))
		printf("# got:  %s\n# want: %s\n", got ? got : "(null)", want ? want : "(null)");
	return same;
}

static inline bool
tap_is_int(long long got, long long want, const char *name, const char *file, int line)
{
	if (!tap_ok(got == want, name, file, line))
		printf("# got:  %lld\n# want: %lld\n", got, want);
	return got == want;
}

static inline int
tap_done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed ? 1 : 0;
}

#define ok(passed, name)		tap_ok(passed, name, __FILE__, __LINE__)
#define is(got, want, name)		tap_is(got, want, name, __FILE__, __LINE__)
#define is_int(got, want, name)	tap_is_int(got, want, name, __FILE__, __LINE__)

#endif							/* TAP_H */
