/*
 * bridge.h
 *		One running bridge.
 */
#ifndef BRIDGE_H
#define BRIDGE_H

#include "mem.h"

struct boot;
struct bridge;

struct bridge *bridge_open(struct boot *boot) must_check;
void		bridge_run(struct bridge *bridge);
void		bridge_close(struct bridge *bridge);

#endif							/* BRIDGE_H */
