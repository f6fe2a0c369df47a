/*
 * log.h
 *		One line a happening, on stderr.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "mem.h"

enum log_level
{
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

/* At most so many lines at a time of what a stranger can provoke; zeroed, static. */
struct log_rate
{
	const char *module;
	int64_t		begun_ms;
	unsigned	lines;
	unsigned	suppressed;
	struct log_rate *next;		/* of those with lines that were not written */
};

void		log_set_worker(int number);
void		log_set_level(enum log_level level);
bool		log_is_on(enum log_level level);
void		log_line(enum log_level level, const char *module, const char *fmt,...)
			printf_like(3, 4);
bool		log_rate_allows(struct log_rate *rate, const char *module);
bool		log_rate_allows_at(struct log_rate *rate, const char *module, int64_t now_ms);
void		log_tick(int64_t now_ms);
void		die(int status, const char *module, const char *fmt,...)
			printf_like(3, 4) __attribute__((noreturn));

#define log_error(module, ...)	log_line(LOG_LEVEL_ERROR, module, __VA_ARGS__)
#define log_warn(module, ...)	log_line(LOG_LEVEL_WARN, module, __VA_ARGS__)
#define log_info(module, ...)	log_line(LOG_LEVEL_INFO, module, __VA_ARGS__)
#define log_debug(module, ...) \
	do { \
		if (log_is_on(LOG_LEVEL_DEBUG)) \
			log_line(LOG_LEVEL_DEBUG, module, __VA_ARGS__); \
	} while (0)

#endif							/* LOG_H */
