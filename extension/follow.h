/*
 * follow.h
 *		What a tracked table says besides counts: status, texts, times, deletion.
 */
#ifndef SP_FOLLOW_H
#define SP_FOLLOW_H

#include "held.h"

/* What SP_OP_ATTRIBUTE is about: a ledger row's amount. */
typedef enum SpAttribute
{
	SP_ATTRIBUTE_TITLE,			/* an account's name */
	SP_ATTRIBUTE_MESSAGE,		/* an account's email */
	SP_ATTRIBUTE_ERROR,
	SP_ATTRIBUTE_OWNER,
	SP_ATTRIBUTE_RESULT,
	SP_ATTRIBUTE_STARTED,
	SP_ATTRIBUTE_COMPLETED,
	SP_ATTRIBUTES
} SpAttribute;

extern void sp_follow_session(const SpCatalog *catalog, SpHeldSession *session);
extern void sp_follow_account(const SpCatalog *catalog, const SpCounts *counts, SpHeldAccount *account,
							  const SpRow *rows, int nrows);
extern int	sp_follow_delete(const SpCatalog *catalog, int64 *sessions, int count);
extern bool sp_follow_delete_account(const SpCatalog *catalog, int64 account);

#endif							/* SP_FOLLOW_H */
