/*
 * log.c
 *		One line a happening, on stderr: LEVEL module: text key=value
 *
 * No time stamp: journald and container runtimes put their own.  Whatever goes
 * out in a line may have come from a stranger, so control characters are
 * written as \xNN and a line stays one line.  Tokens are never passed here.
 */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOG_LINES_PER_SECOND	10

static enum log_level log_threshold = LOG_LEVEL_INFO;

static const char *const log_names[] = {"ERROR", "WARN", "INFO", "DEBUG"};

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

static void
log_write(enum log_level level, const char *module, const char *fmt,
		  va_list args)
{
	char		message[1024];
	char		line[2 * sizeof(message)];
	int			at;

	vsnprintf(message, sizeof(message), fmt, args);
	at = snprintf(line, sizeof(line), "%s %s: ", log_names[level], module);
	for (const char *p = message; *p && at < (int) sizeof(line) - 8; p++)
	{
		unsigned char c = (unsigned char) *p;

		if (c < 0x20 || c == 0x7f)
			at += snprintf(line + at, sizeof(line) - (size_t) at, "\\x%02x", c);
		else
			line[at++] = *p;
	}
	line[at++] = '\n';

	/*
	 * One write, so that lines of several processes do not mix.  A full or
	 * closed stderr must not end the service: the line is lost.
	 */
	if (write(STDERR_FILENO, line, (size_t) at) < 0)
		return;
}

void
log_line(enum log_level level, const char *module, const char *fmt,...)
{
	va_list		args;

	if (!log_is_on(level))
		return;
	va_start(args, fmt);
	log_write(level, module, fmt, args);
	va_end(args);
}

/*
 * May another line go out that a stranger has provoked?  The first one of a
 * later second says how many were not written.
 */
bool
log_rate_allows(struct log_rate *rate, const char *module)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec != rate->second)
	{
		if (rate->suppressed > 0)
			log_warn(module, "similar lines not written count=%u",
					 rate->suppressed);
		rate->second = now.tv_sec;
		rate->lines = 0;
		rate->suppressed = 0;
	}
	if (rate->lines >= LOG_LINES_PER_SECOND)
	{
		rate->suppressed++;
		return false;
	}
	rate->lines++;
	return true;
}

/*
 * End the program.  Only for what is found wrong at boot.
 */
void
die(int status, const char *module, const char *fmt,...)
{
	va_list		args;

	va_start(args, fmt);
	log_write(LOG_LEVEL_ERROR, module, fmt, args);
	va_end(args);
	exit(status);
}
