/*
 * interval.h
 *		How seldom a client wants to be told.
 */
#ifndef INTERVAL_H
#define INTERVAL_H

#include <stddef.h>

#define INTERVAL_MAX_MS		60000

int			interval_wanted_ms(const char *identifier, size_t len);

#endif							/* INTERVAL_H */
