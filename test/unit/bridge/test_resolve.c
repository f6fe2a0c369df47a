/*
 * test_resolve.c
 *		Names become addresses, and a name service that hangs hides no host.
 *
 * The functions of libc are replaced by ones that answer when the test says so.
 */
#include <arpa/inet.h>
#include <ev.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "resolve.h"
#include "unit.h"

#define ASKED_MAX	64

static struct gaicb *asked[ASKED_MAX];
static int	answers[ASKED_MAX];
static int	asked_count;

static struct ev_loop *loop;
static char found[1024];
static int	done_count;

int
getaddrinfo_a(int mode, struct gaicb *list[], int count, struct sigevent *event)
{
	for (int i = 0; i < count; i++)
	{
		assert_in_range(asked_count, 0, ASKED_MAX - 1);
		answers[asked_count] = EAI_INPROGRESS;
		asked[asked_count++] = list[i];
	}
	return 0;
}

int
gai_error(struct gaicb *request)
{
	for (int i = 0; i < asked_count; i++)
		if (asked[i] == request)
			return answers[i];
	fail_msg("this was not asked for");
	return 0;
}

/* A thread works on it. */
int
gai_cancel(struct gaicb *request)
{
	return EAI_NOTCANCELED;
}

static void
answer(const char *name, const char *address)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};

	for (int i = 0; i < asked_count; i++)
	{
		if (answers[i] != EAI_INPROGRESS || strcmp(asked[i]->ar_name, name) != 0)
			continue;
		answers[i] = EAI_NONAME;
		if (address)
			answers[i] = getaddrinfo(address, NULL, &hints, &asked[i]->ar_result);
	}
}

static void
on_done(void *arg, const char *error, const char *hosts, const char *hostaddrs,
		const char *ports)
{
	assert_ptr_equal(arg, &done_count);
	done_count++;
	snprintf(found, sizeof(found), "%s|%s|%s|%s", error ? error : "", hosts, hostaddrs, ports);
}

static int
begin(void **state)
{
	loop = ev_loop_new(EVFLAG_AUTO);
	found[0] = '\0';
	asked_count = done_count = 0;
	return 0;
}

/* Let go of everything: what is kept is freed by the next who begins. */
static int
end(void **state)
{
	for (int i = 0; i < asked_count; i++)
		if (answers[i] == EAI_INPROGRESS)
			answers[i] = EAI_NONAME;
	resolve_forget(resolve_start(loop, "/", "", on_done, &done_count));
	ev_loop_destroy(loop);
	return 0;
}

static void
turn(void)
{
	ev_run(loop, EVRUN_ONCE);
}

/* Real seconds, which are few. */
static void
turn_until_done(void)
{
	int			before = done_count;

	while (done_count == before)
		turn();
}

static void
start(const char *hosts, const char *ports)
{
	assert_non_null(resolve_start(loop, hosts, ports, on_done, &done_count));
}

static void
what_is_no_name_is_passed_on(void **state)
{
	start("/run/postgresql,127.0.0.1,::1,@abstract", "1,2,3,4");
	turn();
	assert_int_equal(asked_count, 0);
	assert_string_equal(found, "|/run/postgresql,127.0.0.1,::1,@abstract|,127.0.0.1,::1,|1,2,3,4");
}

static void
names_are_waited_for_without_holding_up_the_loop(void **state)
{
	start("db1,db2", "5432");
	for (int i = 0; i < 5; i++)
		turn();
	assert_int_equal(done_count, 0);
	answer("db2", "10.0.0.2");
	turn();
	assert_int_equal(done_count, 0);
	answer("db1", "10.0.0.1");
	turn();
	assert_string_equal(found, "|db1,db2|10.0.0.1,10.0.0.2|5432,5432");
}

static void
a_name_that_there_is_not_hides_no_other(void **state)
{
	start("nowhere,db2", "");
	answer("nowhere", NULL);
	answer("db2", "10.0.0.2");
	turn();
	assert_string_equal(found, "|db2|10.0.0.2|");
}

static void
no_address_at_all_is_an_error_that_names_the_host(void **state)
{
	start("nowhere", "");
	answer("nowhere", NULL);
	turn();
	assert_string_equal(found, "cannot resolve host name \"nowhere\": Name or service not known|||");
}

static void
a_name_that_hangs_hides_no_other_for_long(void **state)
{
	start("hangs,db2", "");
	answer("db2", "10.0.0.2");
	turn_until_done();
	assert_string_equal(found, "|db2|10.0.0.2|");
	/* libc may write to what it was given even now */
	answer("hangs", "10.0.0.1");
}

static void
who_forgets_is_not_called(void **state)
{
	struct resolve *resolve = resolve_start(loop, "hangs", "", on_done, &done_count);

	turn();
	resolve_forget(resolve);
	answer("hangs", "10.0.0.1");
	ev_run(loop, EVRUN_NOWAIT);
	assert_int_equal(done_count, 0);
}

static void
so_many_names_hang_and_no_more_are_asked_for(void **state)
{
	for (int i = 0; i < 20; i++)
		resolve_forget(resolve_start(loop, "hangs", "", on_done, &done_count));
	assert_in_range(asked_count, 1, 8);
	start("hangs,127.0.0.1", "");
	turn();
	assert_string_equal(found, "|127.0.0.1|127.0.0.1|");
	start("hangs", "");
	turn();
	assert_string_equal(found, "cannot resolve host name \"hangs\": no answer from the name service in time|||");

	/* and again, when they have ended */
	answer("hangs", NULL);
	start("db1", "");
	answer("db1", "10.0.0.1");
	turn();
	assert_string_equal(found, "|db1|10.0.0.1|");
}

#define resolve_test(test) cmocka_unit_test_setup_teardown(test, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		resolve_test(what_is_no_name_is_passed_on),
		resolve_test(names_are_waited_for_without_holding_up_the_loop),
		resolve_test(a_name_that_there_is_not_hides_no_other),
		resolve_test(no_address_at_all_is_an_error_that_names_the_host),
		resolve_test(a_name_that_hangs_hides_no_other_for_long),
		resolve_test(who_forgets_is_not_called),
		resolve_test(so_many_names_hang_and_no_more_are_asked_for),
	};

	return run_units(tests);
}
