/*
 * shape.h
 *		Tables that are still as the extension's script made them.
 */
#ifndef SP_SHAPE_H
#define SP_SHAPE_H

#include "utils/relcache.h"

extern void sp_shape_require_sessions(Relation rel);
extern void sp_shape_require_accounts(Relation rel);
extern void sp_shape_require_kinds(Relation rel);

#endif							/* SP_SHAPE_H */
