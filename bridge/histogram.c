/*
 * histogram.c
 *		How long things took, counted in buckets.
 *
 * The bounds are fixed, from 0.1 ms to 10 s in steps of 1, 1.5, 2, 3, 5 and 7:
 * a quantile that is read from them, with a straight line drawn through its
 * bucket, is off by a fifth at most, whatever was measured.  Histograms of
 * several processes, or of two moments, are added and subtracted count by count.
 *
 * There is one writer; others may read meanwhile, and see each number whole but
 * maybe not all of one moment.
 *
 * Shown to Prometheus is every other bound or so, those that begin with 1, 2 or
 * 5: buckets are cumulative there, so what is left out is lost to nobody's sum.
 */
#include "histogram.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

static const int64_t bounds_us[HISTOGRAM_BOUNDS] = {
	100, 150, 200, 300, 500, 700,
	1000, 1500, 2000, 3000, 5000, 7000,
	10000, 15000, 20000, 30000, 50000, 70000,
	100000, 150000, 200000, 300000, 500000, 700000,
	1000000, 1500000, 2000000, 3000000, 5000000, 7000000,
	10000000
};

/* The first bound that is not below. */
static int
bucket_of(int64_t us)
{
	int			low = 0;
	int			high = HISTOGRAM_BOUNDS;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (us <= bounds_us[middle])
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static void
grow(uint64_t *value, uint64_t by)
{
	__atomic_store_n(value, *value + by, __ATOMIC_RELAXED);
}

/* It took so long, and did so many times. */
void
histogram_add(struct histogram *histogram, int64_t us, uint64_t times)
{
	if (us < 0)
		us = 0;
	grow(&histogram->counts[bucket_of(us)], times);
	grow(&histogram->sum_us, (uint64_t) us * times);
}

void
histogram_merge(struct histogram *into, const struct histogram *from)
{
	for (int i = 0; i <= HISTOGRAM_BOUNDS; i++)
		into->counts[i] += __atomic_load_n(&from->counts[i], __ATOMIC_RELAXED);
	into->sum_us += __atomic_load_n(&from->sum_us, __ATOMIC_RELAXED);
}

/* Leave in "now" what has come since it was like "before". */
void
histogram_since(struct histogram *now, const struct histogram *before)
{
	for (int i = 0; i <= HISTOGRAM_BOUNDS; i++)
		now->counts[i] -= before->counts[i];
	now->sum_us -= before->sum_us;
}

uint64_t
histogram_count(const struct histogram *histogram)
{
	uint64_t	count = 0;

	for (int i = 0; i <= HISTOGRAM_BOUNDS; i++)
		count += histogram->counts[i];
	return count;
}

/*
 * How long did at least this share of them take at the most?  -1: nothing was
 * measured.  What is above all bounds is said to be as long as the last.
 */
int64_t
histogram_quantile_us(const struct histogram *histogram, double quantile)
{
	uint64_t	count = histogram_count(histogram);
	double		rank = quantile * (double) count;
	uint64_t	below = 0;

	if (count == 0)
		return -1;
	for (int i = 0; i < HISTOGRAM_BOUNDS; i++)
	{
		uint64_t	here = histogram->counts[i];

		if (here > 0 && (double) (below + here) >= rank)
		{
			int64_t		from_us = i == 0 ? 0 : bounds_us[i - 1];
			double		part = (rank - (double) below) / (double) here;

			return from_us + (int64_t) ((double) (bounds_us[i] - from_us) * (part > 0 ? part : 0));
		}
		below += here;
	}
	return bounds_us[HISTOGRAM_BOUNDS - 1];
}

static bool
is_shown(int64_t us)
{
	while (us % 10 == 0)
		us /= 10;
	return us == 1 || us == 2 || us == 5;
}

/* Seconds, as short as they can be written: 0.0001, 0.5, 10. */
static void
write_seconds(struct buf *out, uint64_t us)
{
	buf_printf(out, "%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);
	while (out->data[out->len - 1] == '0')
		out->len--;
	if (out->data[out->len - 1] == '.')
		out->len--;
	out->data[out->len] = '\0';
}

static void
write_name(struct buf *out, const char *name, const char *suffix, const char *label)
{
	buf_printf(out, "%s%s", name, suffix);
	if (label)
		buf_printf(out, "{%s}", label);
	buf_add_text(out, " ");
}

/* Append it in Prometheus' format; "label" may be NULL. */
void
histogram_write(const struct histogram *histogram, struct buf *out, const char *name,
				const char *label)
{
	const char *comma = label ? "," : "";
	uint64_t	count = 0;

	for (int i = 0; i < HISTOGRAM_BOUNDS; i++)
	{
		count += histogram->counts[i];
		if (!is_shown(bounds_us[i]))
			continue;
		buf_printf(out, "%s_bucket{%s%sle=\"", name, label ? label : "", comma);
		write_seconds(out, (uint64_t) bounds_us[i]);
		buf_printf(out, "\"} %" PRIu64 "\n", count);
	}
	count += histogram->counts[HISTOGRAM_BOUNDS];
	buf_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", name, label ? label : "", comma, count);
	write_name(out, name, "_sum", label);
	write_seconds(out, histogram->sum_us);
	buf_add_text(out, "\n");
	write_name(out, name, "_count", label);
	buf_printf(out, "%" PRIu64 "\n", count);
}
