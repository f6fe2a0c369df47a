/*
 * stats.c
 *		Samples, and what is reported of them.
 *
 * All are kept and sorted at the end: quantiles are exact, and a run has some
 * millions at most.
 */
#include "stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proc.h"

double
now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

void
stats_begin(struct stats *stats, int server_pid)
{
	struct samples latency = {.ms = stats->latency.ms, .room = stats->latency.room};
	struct samples spread = {.ms = stats->spread.ms, .room = stats->spread.room};
	struct samples handshake = {.ms = stats->handshake.ms, .room = stats->handshake.room};

	*stats = (struct stats)
	{
		.latency = latency, .spread = spread, .handshake = handshake, .began_s = now_s(),
			.server_cpu_s = server_pid ? proc_cpu_s(server_pid) : 0,
			.own_cpu_s = proc_cpu_s(getpid())
	};
}

void
samples_add(struct samples *samples, double ms)
{
	if (samples->count == samples->room)
	{
		samples->room = samples->room ? samples->room * 2 : 65536;
		samples->ms = realloc(samples->ms, samples->room * sizeof(float));
		if (samples->ms == NULL)
		{
			fputs("load: out of memory\n", stderr);
			exit(1);
		}
	}
	samples->ms[samples->count++] = (float) ms;
}

static int
compare_floats(const void *a, const void *b)
{
	float		x = *(const float *) a;
	float		y = *(const float *) b;

	return (x > y) - (x < y);
}

static double
quantile(const struct samples *samples, double part)
{
	if (samples->count == 0)
		return 0;
	return (double) samples->ms[(size_t) ((double) (samples->count - 1) * part)];
}

void
samples_print(const char *name, struct samples *samples)
{
	qsort(samples->ms, samples->count, sizeof(float), compare_floats);
	printf(",\"%s_ms\":{\"count\":%zu,\"p50\":%.3f,\"p95\":%.3f,\"p99\":%.3f,\"max\":%.3f}",
		   name, samples->count, quantile(samples, 0.5), quantile(samples, 0.95),
		   quantile(samples, 0.99), quantile(samples, 1));
}

/* As members of a JSON object that has at least one before them. */
void
stats_print(struct stats *stats, int server_pid)
{
	double		seconds = now_s() - stats->began_s;

	printf(",\"seconds\":%.3f,\"frames\":%llu,\"states\":%llu,\"bytes\":%llu", seconds,
		   (unsigned long long) stats->frames, (unsigned long long) stats->states,
		   (unsigned long long) stats->bytes);
	printf(",\"skipped\":%llu,\"backward\":%llu,\"repeated\":%llu,\"lost\":%llu,\"refused\":%llu",
		   (unsigned long long) stats->skipped, (unsigned long long) stats->backward,
		   (unsigned long long) stats->repeated, (unsigned long long) stats->lost,
		   (unsigned long long) stats->refused);
	samples_print("latency", &stats->latency);
	samples_print("spread", &stats->spread);
	samples_print("handshake", &stats->handshake);
	printf(",\"own_cpu_s\":%.4f", proc_cpu_s(getpid()) - stats->own_cpu_s);
	if (server_pid)
		printf(",\"server_cpu_s\":%.4f,\"server_rss_kb\":%ld",
			   proc_cpu_s(server_pid) - stats->server_cpu_s, proc_rss_kb(server_pid));
}
