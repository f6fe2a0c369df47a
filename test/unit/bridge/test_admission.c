/*
 * test_admission.c
 *		Places are counted, refusals are limited, and reconnects cost nothing.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "admission.h"
#include "unit.h"

#define NOW_MS	1000000
#define PER_MINUTE 10

static char *networks[] = {"10.0.0.0/8"};

struct fixture
{
	struct config config;
	struct admission *admission;
	struct istr *office;
	struct istr *home;
	struct intern *names;
	struct istr *alice;
};

static struct istr *
place(struct fixture *f, const char *text)
{
	struct address address;
	struct istr *entered;

	assert_true(address_parse(text, strlen(text), &address));
	return admission_enter(f->admission, &address, false, &entered) == ADMISSION_OK ?
		entered : NULL;
}

static int
setup(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	f.config.max_connections = 10;
	f.config.max_connections_per_address = 3;
	f.config.refused_per_minute = PER_MINUTE;
	f.config.trusted_proxy = (struct config_list)
	{
		networks, 1
	};
	f.admission = admission_create(&f.config);
	f.office = place(&f, "192.0.2.1");
	f.home = place(&f, "2001:db8::1");
	f.names = intern_create();
	f.alice = intern_get(f.names, "alice", 5);
	*state = &f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	admission_leave(f->admission, f->office);
	admission_leave(f->admission, f->home);
	intern_drop(f->alice);
	intern_free(f->names);
	admission_free(f->admission);
	return 0;
}

static void
refuse(struct fixture *f, const struct admission_who *who, int first, int count)
{
	char		what[32];

	for (int i = first; i < first + count; i++)
	{
		snprintf(what, sizeof(what), "session %d", i);
		admission_refused(f->admission, who, what, strlen(what), NOW_MS);
	}
}

static void
ten_refusals_and_no_more(void **state)
{
	struct fixture *f = *state;
	struct admission_who who = {.place = f->office};

	refuse(f, &who, 0, PER_MINUTE - 1);
	assert_int_equal(admission_wait_ms(f->admission, &who, NOW_MS), 0);
	refuse(f, &who, PER_MINUTE, 1);
	assert_int_equal(admission_wait_ms(f->admission, &who, NOW_MS), 6000);
	assert_int_equal(admission_wait_ms(f->admission, &who, NOW_MS + 6000), 0);
}

static void
the_same_again_costs_nothing(void **state)
{
	struct fixture *f = *state;
	struct admission_who who = {f->alice, f->office};

	for (int i = 0; i < 20; i++)
		refuse(f, &who, 0, PER_MINUTE - 1);
	assert_int_equal(admission_wait_ms(f->admission, &who, NOW_MS), 0);
}

static void
what_has_no_name_counts_each_time(void **state)
{
	struct fixture *f = *state;
	struct admission_who who = {.place = f->office};

	for (int i = 0; i < PER_MINUTE; i++)
		admission_refused(f->admission, &who, NULL, 0, NOW_MS);
	assert_true(admission_wait_ms(f->admission, &who, NOW_MS) > 0);
}

static void
a_subject_does_not_count_for_its_office(void **state)
{
	struct fixture *f = *state;
	struct admission_who alice = {f->alice, f->office};
	struct admission_who elsewhere = {f->alice, f->home};
	struct admission_who office = {.place = f->office};

	refuse(f, &alice, 0, PER_MINUTE);
	assert_true(admission_wait_ms(f->admission, &elsewhere, NOW_MS) > 0);
	assert_int_equal(admission_wait_ms(f->admission, &office, NOW_MS), 0);
}

static void
an_office_without_tokens_does_not_count_for_who_has_one(void **state)
{
	struct fixture *f = *state;
	struct admission_who alice = {f->alice, f->office};
	struct admission_who office = {.place = f->office};

	refuse(f, &office, 0, PER_MINUTE);
	assert_true(admission_wait_ms(f->admission, &office, NOW_MS) > 0);
	assert_int_equal(admission_wait_ms(f->admission, &alice, NOW_MS), 0);
}

static void
with_an_expired_token_three_times(void **state)
{
	struct fixture *f = *state;
	struct admission_who who = {f->alice, f->office};

	for (int i = 0; i < 3; i++)
		assert_true(admission_expired(f->admission, &who, NOW_MS));
	assert_false(admission_expired(f->admission, &who, NOW_MS));
	assert_true(admission_expired(f->admission, &who, NOW_MS + 20000));
	assert_int_equal(admission_wait_ms(f->admission, &who, NOW_MS), 0);
}

static void
a_place_is_crowded_with_as_many_as_may_be(void **state)
{
	struct fixture *f = *state;
	struct istr *others[] = {
		place(f, "2001:db8::2"), place(f, "2001:db8:0:0:ffff::"), place(f, "2001:db8:0:1::1")
	};

	assert_ptr_equal(f->home, others[0]);
	assert_null(place(f, "2001:db8::9"));
	admission_leave(f->admission, others[0]);
	others[0] = place(f, "2001:db8::9");
	assert_ptr_equal(f->home, others[0]);
	assert_null(place(f, "2001:db8::2"));
	for (int i = 0; i < 3; i++)
		admission_leave(f->admission, others[i]);
}

static void
when_all_is_full_administrators_still_come_in(void **state)
{
	struct fixture *f = *state;
	struct address address;
	struct istr *places[64];
	int			count = 0;
	char text[	32];

	do
		snprintf(text, sizeof(text), "192.0.2.%d", 100 + count);
	while ((places[count] = place(f, text)) && ++count < 60);
	assert_int_equal(count, 8);

	assert_true(address_parse("192.0.2.99", 10, &address));
	assert_int_equal(admission_enter(f->admission, &address, false, &places[count]),
					 ADMISSION_FULL);
	assert_null(places[count]);
	for (int i = 0; i < 32; i++)
		assert_int_equal(admission_enter(f->admission, &address, true, &places[count++]),
						 ADMISSION_OK);
	assert_int_equal(admission_enter(f->admission, &address, true, &places[count]),
					 ADMISSION_FULL);
	while (count > 0)
		admission_leave(f->admission, places[--count]);
}

static void
proxies_are_known(void **state)
{
	struct fixture *f = *state;
	struct address peer;
	struct address client;

	assert_true(address_parse("10.1.2.3", 8, &peer));
	assert_true(admission_is_proxy(f->admission, &peer));
	client = admission_client(f->admission, &peer, "1.1.1.1, 192.0.2.1");
	assert_false(admission_is_proxy(f->admission, &client));
}

static void
who_comes_by_a_proxy_counts_where_it_is(void **state)
{
	struct fixture *f = *state;
	struct istr *conns[5];
	struct address office;
	struct address proxy;

	assert_true(address_parse("192.0.2.1", 9, &office));
	assert_true(address_parse("10.1.2.3", 8, &proxy));
	for (int i = 0; i < 5; i++)
		conns[i] = place(f, "10.1.2.3");
	assert_non_null(conns[4]);
	assert_true(admission_move(f->admission, &office, &conns[0]));
	assert_ptr_equal(conns[0], f->office);
	assert_true(admission_move(f->admission, &office, &conns[1]));
	assert_false(admission_move(f->admission, &office, &conns[2]));
	assert_ptr_equal(conns[2], conns[3]);

	/* Again the same: that it is full by now is no reason. */
	assert_true(admission_move(f->admission, &office, &conns[1]));
	assert_null(place(f, "192.0.2.1"));
	assert_true(admission_move(f->admission, &proxy, &conns[1]));
	assert_true(admission_move(f->admission, &office, &conns[2]));
	for (int i = 0; i < 5; i++)
		admission_leave(f->admission, conns[i]);
}

static void
a_bad_network_is_named(void **state)
{
	static char *bad[] = {"10.0.0.0/8", "proxy.example.com"};
	struct fixture *f = *state;
	struct config config = {.trusted_proxy = {bad, 2}};

	assert_null(admission_check(&f->config));
	assert_non_null(strstr(admission_check(&config), "\"proxy.example.com\""));
}

#define with_fixture(test)	cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		with_fixture(ten_refusals_and_no_more),
		with_fixture(the_same_again_costs_nothing),
		with_fixture(what_has_no_name_counts_each_time),
		with_fixture(a_subject_does_not_count_for_its_office),
		with_fixture(an_office_without_tokens_does_not_count_for_who_has_one),
		with_fixture(with_an_expired_token_three_times),
		with_fixture(a_place_is_crowded_with_as_many_as_may_be),
		with_fixture(when_all_is_full_administrators_still_come_in),
		with_fixture(proxies_are_known),
		with_fixture(who_comes_by_a_proxy_counts_where_it_is),
		with_fixture(a_bad_network_is_named),
	};

	return run_units(tests);
}
