/*
 * ready.h
 *		Can watchers be served?
 */
#ifndef READY_H
#define READY_H

#include <stdbool.h>

struct bridge;

bool		ready_check(const struct bridge *bridge, const char **why);
const char *ready_note(const struct bridge *bridge);

#endif							/* READY_H */
