/*
 * isolate.h
 *		One bad session must not stop the others.
 */
#ifndef SP_ISOLATE_H
#define SP_ISOLATE_H

#include "postgres.h"

/* Works on items first … first + count - 1; may raise an error. */
typedef void (*SpWork) (void *state, int first, int count);

/* Item "item" alone raised the error. */
typedef void (*SpFailed) (void *state, int item, ErrorData *error);

extern void sp_isolate(SpWork work, SpFailed failed, void *state, int first, int count, int timeout_ms);

#endif							/* SP_ISOLATE_H */
