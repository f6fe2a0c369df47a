/*
 * isolate.h
 *		One bad session must not stop the others.
 */
#ifndef SP_ISOLATE_H
#define SP_ISOLATE_H

#include "postgres.h"

/* Works on items first … first + count - 1; may raise an error. */
typedef void (*SpWork) (void *state, int first, int count);

/* Item "item" alone raised the error; NULL: there was no time left to try it. */
typedef void (*SpFailed) (void *state, int item, ErrorData *error);

/* How long work that fails may take, over all its attempts. */
typedef struct SpBudget
{
	int64		left_us;
	int64		spent_us;
} SpBudget;

extern bool sp_isolate_is_hung(void);
extern void sp_isolate(SpWork work, SpFailed failed, void *state, int first, int count, SpBudget *budget);

#endif							/* SP_ISOLATE_H */
