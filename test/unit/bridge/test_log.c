/*
 * test_log.c
 *		A line stays one line, and nobody fills the log.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "unit.h"

#define START_MS	1000000

static int	real_stderr;
static long read_to;

/* What is logged from here on goes to a file. */
static int
begin(void **state)
{
	FILE	   *file = tmpfile();

	assert_non_null(file);
	real_stderr = dup(STDERR_FILENO);
	dup2(fileno(file), STDERR_FILENO);
	*state = file;
	read_to = 0;
	return 0;
}

static int
end(void **state)
{
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	return fclose(*state);
}

/* What was logged since the last look. */
static const char *
logged(void **state)
{
	static char text[65536];
	FILE	   *file = *state;
	size_t		len;

	fseek(file, read_to, SEEK_SET);
	len = fread(text, 1, sizeof(text) - 1, file);
	text[		len] = '\0';

	read_to += (long) len;
	return text;
}

static int
provoke(struct log_rate *rate, int times, int64_t now_ms)
{
	int			written = 0;

	for (int i = 0; i < times; i++)
		written += log_rate_allows_at(rate, "test", now_ms);
	return written;
}

static void
ten_in_ten_seconds_and_then_a_count(void **state)
{
	static struct log_rate rate;

	assert_int_equal(provoke(&rate, 1000, START_MS), 10);
	assert_int_equal(provoke(&rate, 1000, START_MS + 9999), 0);
	log_tick(START_MS + 9999);
	assert_string_equal(logged(state), "");
	log_tick(START_MS + 10000);
	assert_string_equal(logged(state), "WARN test: similar lines not written count=1990 seconds=10\n");
	log_tick(START_MS + 60000);
	assert_string_equal(logged(state), "");
	assert_int_equal(provoke(&rate, 11, START_MS + 60000), 10);
	assert_int_equal(provoke(&rate, 11, START_MS + 80000), 10);
	assert_string_equal(logged(state), "WARN test: similar lines not written count=1 seconds=10\n");
	log_tick(START_MS + 90000);
	assert_string_equal(logged(state), "WARN test: similar lines not written count=1 seconds=10\n");
}

/* An hour of a thousand a second. */
static void
an_attack_does_not_fill_the_log(void **state)
{
	static struct log_rate rate;
	int			written = 0;
	int			lines = 0;

	for (int64_t ms = 0; ms < 3600000; ms++)
		written += provoke(&rate, 1, START_MS + ms);
	assert_int_equal(written, 3600);
	log_tick(START_MS + 3600000);
	for (const char *at = logged(state); (at = strchr(at, '\n')) != NULL; at++)
		lines++;
	assert_int_equal(lines, 360);
}

static void
causes_do_not_share(void **state)
{
	static struct log_rate one;
	static struct log_rate other;
	static struct log_rate third;

	assert_int_equal(provoke(&one, 15, START_MS), 10);
	assert_int_equal(provoke(&other, 12, START_MS + 5000), 10);
	assert_int_equal(provoke(&third, 13, START_MS + 1000), 10);
	log_tick(START_MS + 11000);
	assert_string_equal(logged(state), "WARN test: similar lines not written count=3 seconds=10\n"
						"WARN test: similar lines not written count=5 seconds=10\n");
	log_tick(START_MS + 15000);
	assert_string_equal(logged(state), "WARN test: similar lines not written count=2 seconds=10\n");
}

static void
a_line_stays_one_line(void **state)
{
	char		long_text[4000];

	log_info("test", "path=%s", "a\nERROR main: b\r\x1b[31m\x7f");
	assert_string_equal(logged(state), "INFO test: path=a\\x0aERROR main: b\\x0d\\x1b[31m\\x7f\n");
	memset(long_text, '\n', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	log_info("test", "%s", long_text);
	assert_ptr_equal(strchr(logged(state), '\n')[1], '\0');
	log_debug("test", "not on");
	assert_string_equal(logged(state), "");
}

/* ---- who reads it ---- */

#define TOO_LONG_S	10

/* Log until it must be full, take some of it out, log on; what came out in all. */
static const char *
stalled(int to, int from)
{
	static char text[1 << 20];
	size_t		len = 0;
	ssize_t		got;

	alarm(TOO_LONG_S);
	real_stderr = dup(STDERR_FILENO);
	dup2(to, STDERR_FILENO);
	close(to);
	for (int i = 0; i < 20000; i++)
		log_info("test", "line=%d", i);
	got = read(from, text, sizeof(text) / 2);
	len += got > 0 ? (size_t) got : 0;
	log_tick(START_MS);
	log_info("test", "after");
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	while ((got = read(from, text +len, sizeof(text) - 1 - len)) > 0)
		len += (size_t) got;
	close(from);
	alarm(0);
	text[		len] = '\0';
	return text;
}

/* All lines are whole and in order; how many are missing is said, then it goes on. */
static void
assert_is_honest(const char *text)
{
	int			next = 0;
	int			line;
	unsigned	lost = 0;

	for (; sscanf(text, "INFO test: line=%d\n", &line) == 1; text = strchr(text, '\n') + 1)
		assert_int_equal(line, next++);
	assert_int_equal(sscanf(text, "WARN log: lines were lost, for nobody read them in time count=%u\n", &lost), 1);
	assert_int_equal(next + (int) lost, 20000);
	assert_string_equal(strchr(text, '\n'), "\nINFO test: after\n");
}

static void
a_pipe_that_nobody_reads_holds_nobody_up(void **state)
{
	int			ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_is_honest(stalled(ends[1], ends[0]));
}

/* As the journal's. */
static void
nor_does_a_socket(void **state)
{
	int			ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_is_honest(stalled(ends[1], ends[0]));
}

static void
one_that_is_closed_is_left_alone(void **state)
{
	int			ends[2];

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	real_stderr = dup(STDERR_FILENO);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	log_info("test", "to nobody");
	close(STDERR_FILENO);
	log_info("test", "nowhere");
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(ten_in_ten_seconds_and_then_a_count, begin, end),
		cmocka_unit_test_setup_teardown(an_attack_does_not_fill_the_log, begin, end),
		cmocka_unit_test_setup_teardown(causes_do_not_share, begin, end),
		cmocka_unit_test_setup_teardown(a_line_stays_one_line, begin, end),
		cmocka_unit_test(a_pipe_that_nobody_reads_holds_nobody_up),
		cmocka_unit_test(nor_does_a_socket),
		cmocka_unit_test(one_that_is_closed_is_left_alone),
	};

	return run_units(tests);
}
