/*
 * test_service.c
 *		Nobody waits for a service manager.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "service.h"
#include "unit.h"

#define TOO_LONG_S	10

/* A manager's socket; it has a name that is no file's. */
static int
begin(void **state)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char		name[64];
	int			fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	snprintf(name, sizeof(name), "@sync-progress-test-%d", (int) getpid());
	memcpy(at.sun_path, name, strlen(name));
	at.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *) &at,
						  (socklen_t) (sizeof(at.sun_family) + strlen(name))), 0);
	setenv("NOTIFY_SOCKET", name, 1);
	*state = (void *) (intptr_t) fd;
	alarm(TOO_LONG_S);
	return 0;
}

static int
end(void **state)
{
	alarm(0);
	unsetenv("NOTIFY_SOCKET");
	return close((int) (intptr_t) * state);
}

/* What it takes next; empty: there is nothing. */
static const char *
taken(void **state)
{
	static char text[512];
	ssize_t		len = recv((int) (intptr_t) * state, text, sizeof(text) - 1, 0);

	text[		len > 0 ? len : 0] = '\0';
	return text;
}

static void
it_is_told(void **state)
{
	int			seconds;

	service_ready();
	assert_string_equal(taken(state), "READY=1");
	service_tell("serving %d connections", 3);
	service_tell("serving %d connections", 3);
	assert_string_equal(taken(state), "STATUS=serving 3 connections");
	assert_string_equal(taken(state), "");
	service_reloading();
	assert_int_equal(sscanf(taken(state), "RELOADING=1\nMONOTONIC_USEC=%d", &seconds), 1);
	service_stopping(7000);
	assert_string_equal(taken(state), "STOPPING=1\nEXTEND_TIMEOUT_USEC=9000000");
}

/* Far more than its socket has room for, and what must not be lost comes later. */
static void
one_that_takes_nothing_holds_nobody_up(void **state)
{
	char		last[64];
	int			count = 0;

	for (int i = 0; i < 10000; i++)
		service_tell("number %d", i);
	service_ready();
	while (sscanf(taken(state), "STATUS=number %d", &count) == 1)
		;
	assert_in_range(count, 1, 9998);
	service_tick(1000);
	assert_string_equal(taken(state), "READY=1");
	service_tick(2000);
	assert_string_equal(taken(state), "");

	/* The line that found no room has not been said yet. */
	service_tell("number %d", 9999);
	snprintf(last, sizeof(last), "STATUS=number %d", 9999);
	assert_string_equal(taken(state), last);
}

static void
one_that_is_gone_is_none(void **state)
{
	setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1);
	service_ready();
	service_tick(3000);
	setenv("NOTIFY_SOCKET", "", 1);
	service_ready();
	unsetenv("NOTIFY_SOCKET");
	service_ready();
	assert_string_equal(taken(state), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_is_told, begin, end),
		cmocka_unit_test_setup_teardown(one_that_takes_nothing_holds_nobody_up, begin, end),
		cmocka_unit_test_setup_teardown(one_that_is_gone_is_none, begin, end),
	};

	/* Built without libsystemd, it says nothing to anybody. */
	return service_is_known() ? run_units(tests) : 0;
}
