/*
 * slowsync.c
 *		A disk that takes SLOWSYNC_US microseconds longer to flush.
 *
 * Preloaded (LD_PRELOAD) into the server, where it stands in front of the C
 * library's fdatasync() and fsync(): it flushes, then sleeps.  The timer's slack
 * adds some 50 µs; pg_test_fsync, run with it, says what a flush takes then.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void
sleep_longer(void)
{
	const char *text = getenv("SLOWSYNC_US");
	long		us = text == NULL ? 1000 : atol(text);
	struct timespec pause = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};

	/* a signal, such as a latch's, does not make a disk quicker */
	while (nanosleep(&pause, &pause) != 0)
		;
}

/* Calls the C library's function of that name. */
static int
call_next(const char *name, int fd)
{
	int			(*next) (int);

	/* ISO C has no conversion from an object's pointer to a function's */
	*(void **) &next = dlsym(RTLD_NEXT, name);
	return next(fd);
}

int
fdatasync(int fd)
{
	int			result = call_next("fdatasync", fd);

	sleep_longer();
	return result;
}

int
fsync(int fd)
{
	int			result = call_next("fsync", fd);

	sleep_longer();
	return result;
}
