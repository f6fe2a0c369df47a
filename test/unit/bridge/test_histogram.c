/*
 * test_histogram.c
 *		How long things took, counted in buckets.
 */
#include "histogram.h"

#include <string.h>

#include "unit.h"

static struct histogram h;

static int
empty(void **state)
{
	memset(&h, 0, sizeof(h));
	return 0;
}

static void
is_about(int64_t found, int64_t truth)
{
	if (found < truth * 2 / 3 || found > truth * 3 / 2)
		fail_msg("%lld is not about %lld", (long long) found, (long long) truth);
}

static void
of_nothing_there_is_no_quantile(void **state)
{
	assert_int_equal(histogram_count(&h), 0);
	assert_int_equal(histogram_quantile_us(&h, 0.5), -1);
}

static void
quantiles_are_about_right(void **state)
{
	for (int64_t base = 120; base < 9000000; base = base * 13 / 10)
	{
		empty(state);
		for (int i = 0; i < 1000; i++)
			histogram_add(&h, base / 10 + base * 9 / 10 * i / 999, 1);
		assert_int_equal(histogram_count(&h), 1000);
		is_about(histogram_quantile_us(&h, 0.95), base / 10 + base * 9 * 95 / 1000);
		is_about(histogram_quantile_us(&h, 0.99), base / 10 + base * 9 * 99 / 1000);
	}
}

static void
few_that_are_slow_show_in_the_last_quantiles_only(void **state)
{
	histogram_add(&h, 900, 960);
	histogram_add(&h, 4000000, 40);
	assert_true(histogram_quantile_us(&h, 0.95) <= 1000);
	is_about(histogram_quantile_us(&h, 0.99), 4600000);
}

static void
a_bound_belongs_to_what_is_below_it(void **state)
{
	histogram_add(&h, 1000, 1);
	assert_int_equal(histogram_quantile_us(&h, 1.0), 1000);
	histogram_add(&h, 1001, 1);
	assert_true(histogram_quantile_us(&h, 1.0) > 1000);
}

static void
what_is_out_of_range_is_counted_at_the_ends(void **state)
{
	histogram_add(&h, -5, 2);
	histogram_add(&h, 3600000000, 2);
	assert_int_equal(histogram_count(&h), 4);
	assert_int_equal(h.sum_us, 7200000000);
	assert_true(histogram_quantile_us(&h, 0.5) <= 100);
	assert_int_equal(histogram_quantile_us(&h, 0.99), 10000000);
}

static void
two_can_be_added_and_subtracted(void **state)
{
	struct histogram sum = {{0}, 0};

	histogram_add(&h, 5000, 10);
	histogram_merge(&sum, &h);
	histogram_merge(&sum, &h);
	assert_int_equal(histogram_count(&sum), 20);
	assert_int_equal(sum.sum_us, 100000);
	histogram_since(&sum, &h);
	assert_memory_equal(&sum, &h, sizeof(h));
}

static void
prometheus_is_shown_cumulative_buckets_in_seconds(void **state)
{
	struct buf	out = {0};

	histogram_add(&h, 120, 1);
	histogram_add(&h, 180, 2);
	histogram_add(&h, 1400000, 3);
	histogram_add(&h, 20000000, 4);
	histogram_write(&h, &out, "x_seconds", "stage=\"a\"");
	assert_non_null(strstr(out.data, "x_seconds_bucket{stage=\"a\",le=\"0.0001\"} 0\n"
						   "x_seconds_bucket{stage=\"a\",le=\"0.0002\"} 3\n"
						   "x_seconds_bucket{stage=\"a\",le=\"0.0005\"} 3\n"));
	assert_non_null(strstr(out.data, "le=\"1\"} 3\nx_seconds_bucket{stage=\"a\",le=\"2\"} 6\n"));
	assert_non_null(strstr(out.data, "le=\"10\"} 6\nx_seconds_bucket{stage=\"a\",le=\"+Inf\"} 10\n"
						   "x_seconds_sum{stage=\"a\"} 84.20048\nx_seconds_count{stage=\"a\"} 10\n"));
	buf_reset(&out);
	histogram_write(&h, &out, "y_seconds", NULL);
	assert_non_null(strstr(out.data, "y_seconds_bucket{le=\"0.0001\"} 0\n"));
	assert_non_null(strstr(out.data, "y_seconds_count 10\n"));
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(of_nothing_there_is_no_quantile, empty),
		cmocka_unit_test_setup(quantiles_are_about_right, empty),
		cmocka_unit_test_setup(few_that_are_slow_show_in_the_last_quantiles_only, empty),
		cmocka_unit_test_setup(a_bound_belongs_to_what_is_below_it, empty),
		cmocka_unit_test_setup(what_is_out_of_range_is_counted_at_the_ends, empty),
		cmocka_unit_test_setup(two_can_be_added_and_subtracted, empty),
		cmocka_unit_test_setup(prometheus_is_shown_cumulative_buckets_in_seconds, empty),
	};

	return run_units(tests);
}
