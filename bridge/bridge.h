/*
 * bridge.h
 *		One running bridge.
 */
#ifndef BRIDGE_H
#define BRIDGE_H

#include "config.h"
#include "conninfo.h"
#include "mem.h"

struct bridge;

struct bridge *bridge_open(const struct config *config, const struct conninfo *conninfo)
			must_check;
void		bridge_run(struct bridge *bridge);
void		bridge_close(struct bridge *bridge);

#endif							/* BRIDGE_H */
