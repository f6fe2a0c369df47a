/*
 * watchdog.h
 *		Says when this worker is slow, or has much that waits.
 */
#ifndef WATCHDOG_H
#define WATCHDOG_H

#include <stdint.h>

struct config;
struct watchdog;

struct watchdog *watchdog_create(void) __attribute__((warn_unused_result));
void		watchdog_free(struct watchdog *watchdog);
void		watchdog_turn(struct watchdog *watchdog, const struct config *config, int64_t now_ms);

#endif							/* WATCHDOG_H */
