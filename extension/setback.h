/*
 * setback.h
 *		Workers that fail: said once, and started again ever more seldom.
 */
#ifndef SP_SETBACK_H
#define SP_SETBACK_H

#include "compat.h"
#include "shared.h"

extern bool sp_setback_note(SpDatabase *database, const char *what);
extern void sp_setback_exit(SpDatabase *database) SP_NORETURN;
extern void sp_setback_forget(SpDatabase *database);
extern long sp_setback_delay_ms(SpDatabase *database);

#endif							/* SP_SETBACK_H */
