/*
 * counters.h
 *		Sums of the named counters in ledger rows.
 */
#ifndef SP_COUNTERS_H
#define SP_COUNTERS_H

#include "net.h"

extern char *sp_counters_sum(const SpRow *rows, int nrows);

#endif							/* SP_COUNTERS_H */
