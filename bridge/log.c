/*
 * log.c
 *		One line a happening, on stderr: LEVEL module: text key=value
 *
 * No time stamp: journald and container runtimes put their own.  Whatever goes
 * out in a line may have come from a stranger, so control characters are
 * written as \xNN and a line stays one line.  Tokens are never passed here.
 *
 * Nobody waits for whoever reads stderr: when a pipe or the journal's socket is
 * full, the line is lost, and how many were is said when there is room again.
 * Two processes may still meet at the last room in a pipe; the supervisor finds
 * the one that waits then.
 *
 * Where stderr is the journal, each line begins with its priority, which the
 * journal takes off again: "journalctl -p warning" finds what it should.
 */
#include "log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOG_RATE_LINES	10
#define LOG_RATE_MS		10000
#define LOG_TAIL_MAX	32		/* the last character, the worker's number and
								 * the end of the line */

static enum log_level log_threshold = LOG_LEVEL_INFO;
static int	log_worker;			/* 0: there is only this process */
static struct log_rate *log_suppressed;
static unsigned log_lost;		/* lines for which there was no room */

static const char *const log_names[] = {"ERROR", "WARN", "INFO", "DEBUG"};

/* What syslog calls them, in the form that the journal reads. */
static const char *const log_priorities[] = {"<3>", "<4>", "<6>", "<7>"};

/* Of several; its lines say so. */
void
log_set_worker(int number)
{
	log_worker = number;
}

void
log_set_level(enum log_level level)
{
	log_threshold = level;
}

bool
log_is_on(enum log_level level)
{
	return level <= log_threshold;
}

/*
 * Is stderr the journal?  It says which file it has given to the service as
 * that; what was redirected since is another one.
 */
static bool
is_journal(void)
{
	static int	known = -1;
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device;
	unsigned long long inode;
	struct stat info;

	if (known < 0)
		known = stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
			fstat(STDERR_FILENO, &info) == 0 && info.st_dev == device &&
			info.st_ino == inode;
	return known;
}

/*
 * One write, so that lines of several processes do not mix.  False: there is no
 * room.  What cannot be written at all, since stderr is closed, must not end the
 * service: it is lost, and nobody is there to be told.
 */
static bool
write_now(const char *line, size_t len)
{
	struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};

	if (send(out.fd, line, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return true;
	if (errno != ENOTSOCK)
		return errno != EAGAIN;

	/* A pipe that has room has it for a line: that is less than a page. */
	if (poll(&out, 1, 0) == 0)
		return false;
	return write(out.fd, line, len) >= 0 || errno != EAGAIN;
}

static bool
log_write(enum log_level level, const char *module, const char *fmt,
		  va_list args)
{
	char		message[1024];
	char		line[2 * sizeof(message)];
	int			at;

	vsnprintf(message, sizeof(message), fmt, args);
	at = snprintf(line, sizeof(line), "%s%s %s: ",
				  is_journal() ? log_priorities[level] : "", log_names[level], module);
	for (const char *p = message; *p && at < (int) sizeof(line) - LOG_TAIL_MAX; p++)
	{
		unsigned char c = (unsigned char) *p;

		if (c < 0x20 || c == 0x7f)
			at += snprintf(line + at, sizeof(line) - (size_t) at, "\\x%02x", c);
		else
			line[at++] = *p;
	}
	if (log_worker)
		at += snprintf(line + at, sizeof(line) - (size_t) at, " worker=%d", log_worker);
	line[at++] = '\n';
	return write_now(line, (size_t) at);
}

static bool
log_args(enum log_level level, const char *module, const char *fmt,...)
{
	va_list		args;
	bool		is_written;

	va_start(args, fmt);
	is_written = log_write(level, module, fmt, args);
	va_end(args);
	return is_written;
}

/* Say how many were lost, once there is room for that. */
static void
log_say_lost(void)
{
	if (log_lost > 0 && log_args(LOG_LEVEL_WARN, "log", "lines were lost, for nobody read "
								 "them in time count=%u", log_lost))
		log_lost = 0;
}

static void
log_put(enum log_level level, const char *module, const char *fmt, va_list args)
{
	log_say_lost();
	if (log_lost > 0 || !log_write(level, module, fmt, args))
		log_lost++;
}

void
log_line(enum log_level level, const char *module, const char *fmt,...)
{
	va_list		args;

	if (!log_is_on(level))
		return;
	va_start(args, fmt);
	log_put(level, module, fmt, args);
	va_end(args);
}

/* ---- what strangers can provoke ---- */

/* Say how many lines were not written, once their time is over. */
static bool
is_settled(struct log_rate *rate, int64_t now_ms)
{
	if (now_ms - rate->begun_ms < LOG_RATE_MS)
		return false;
	log_warn(rate->module, "similar lines not written count=%u seconds=%d", rate->suppressed,
			 LOG_RATE_MS / 1000);
	rate->suppressed = 0;
	rate->lines = 0;
	return true;
}

/* From time to time. */
void
log_tick(int64_t now_ms)
{
	struct log_rate **at = &log_suppressed;

	log_say_lost();
	while (*at)
	{
		struct log_rate *rate = *at;

		if (is_settled(rate, now_ms))
			*at = rate->next;
		else
			at = &rate->next;
	}
}

/*
 * May another line go out that a stranger has provoked?  From the first one on
 * there are ten in ten seconds; the others are counted, and the count is a line
 * of its own when that time is over, whether or not anything more happens.
 */
bool
log_rate_allows_at(struct log_rate *rate, const char *module, int64_t now_ms)
{
	log_tick(now_ms);
	rate->module = module;
	if (rate->lines == 0 || now_ms - rate->begun_ms >= LOG_RATE_MS)
	{
		rate->begun_ms = now_ms;
		rate->lines = 0;
	}
	if (rate->lines < LOG_RATE_LINES)
	{
		rate->lines++;
		return true;
	}
	if (rate->suppressed++ == 0)
	{
		rate->next = log_suppressed;
		log_suppressed = rate;
	}
	return false;
}

bool
log_rate_allows(struct log_rate *rate, const char *module)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return log_rate_allows_at(rate, module, (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

/*
 * End the program.  Only for what is found wrong at boot.
 */
void
die(int status, const char *module, const char *fmt,...)
{
	va_list		args;

	va_start(args, fmt);
	log_put(LOG_LEVEL_ERROR, module, fmt, args);
	va_end(args);
	exit(status);
}
