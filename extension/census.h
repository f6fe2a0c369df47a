/*
 * census.h
 *		What the places in shared memory are used for, counted.
 */
#ifndef SP_CENSUS_H
#define SP_CENSUS_H

#include "slot.h"

typedef struct SpCensus
{
	int			used;			/* sessions of this database */
	int			waiting;		/* of these: marked, not told yet */
	int			held;			/* of these: put off, locked or failing */
	int64		late_us;		/* how long the one that is due for longest is */
	int			server_used;	/* sessions of all databases */
	int			server_needed;	/* of these: not to be given to another now */
	int			server_cells;
	Size		bytes;			/* of shared memory that is in use */
} SpCensus;

extern void sp_census(SpDatabase *database, SpCensus *census);

#endif							/* SP_CENSUS_H */
