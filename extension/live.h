/*
 * live.h
 *		Increments that count at once, whatever becomes of the transaction.
 */
#ifndef SP_LIVE_H
#define SP_LIVE_H

#include "mark.h"
#include "net.h"

extern SpStatus sp_live_again(SpDatabase *database, SpRow *rows, int *nrows);
extern void sp_live_first(SpDatabase *database, SpMark *mark, SpRow *rows, int *nrows);

#endif							/* SP_LIVE_H */
