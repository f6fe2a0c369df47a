/*
 * holder.h
 *		Who holds a session's row, so that it cannot be folded.
 */
#ifndef SP_HOLDER_H
#define SP_HOLDER_H

#include "catalog.h"

extern TransactionId sp_holder_of_session(const SpCatalog *catalog, int64 session);

#endif							/* SP_HOLDER_H */
