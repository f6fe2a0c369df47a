/*
 * doctor_watch.h
 *		A watcher like those that the bridge serves.
 */
#ifndef DOCTOR_WATCH_H
#define DOCTOR_WATCH_H

#include <stdbool.h>

#include "mem.h"

struct watch;

struct watch *watch_open(const char *host, int port, bool is_tls, const char *token,
						 long long session) must_check;
void		watch_close(struct watch *watch);
void		watch_turn(struct watch *watch);
const char *watch_problem(const struct watch *watch);
bool		watch_is_welcomed(const struct watch *watch);
const char *watch_status(const struct watch *watch);

#endif							/* DOCTOR_WATCH_H */
