/*
 * office.h
 *		Who writes to the table what was counted live: one process at a time.
 */
#ifndef SP_OFFICE_H
#define SP_OFFICE_H

#include "shared.h"

extern bool sp_office_take(SpDatabase *database);
extern void sp_office_resign(SpDatabase *database);
extern void sp_office_pass_by(SpDatabase *database);

#endif							/* SP_OFFICE_H */
