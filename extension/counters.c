/*
 * counters.c
 *		Sums of the named counters in ledger rows.
 */
#include "postgres.h"

#include "counters.h"
#include "lib/stringinfo.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

typedef struct Counter
{
	char		name[NAMEDATALEN];	/* at most 63 bytes, checked at the call */
	int64		sum;
} Counter;

/*
 * The sums as a flat JSON object, palloc'd; NULL: the rows have no counters.
 *
 * Names have letters, digits, dots and underscores only, so nothing in them
 * needs an escape.
 */
char *
sp_counters_sum(const SpRow *rows, int nrows)
{
	HASHCTL		info = {.keysize = NAMEDATALEN, .entrysize = sizeof(Counter), .hcxt = CurrentMemoryContext};
	HTAB	   *sums = NULL;
	HASH_SEQ_STATUS scan;
	Counter    *counter;
	StringInfoData text;

	for (int i = 0; i < nrows; i++)
	{
		bool		found;

		if (rows[i].op != SP_OP_COUNTER)
			continue;
		if (sums == NULL)
			sums = hash_create("counters", 16, &info, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
		counter = hash_search(sums, rows[i].label, HASH_ENTER, &found);
		counter->sum = sp_net_add(found ? counter->sum : 0, rows[i].amount);
	}
	if (sums == NULL)
		return NULL;
	initStringInfo(&text);
	hash_seq_init(&scan, sums);
	while ((counter = hash_seq_search(&scan)) != NULL)
		appendStringInfo(&text, "%c\"%s\":" INT64_FORMAT, text.len == 0 ? '{' : ',', counter->name, counter->sum);
	appendStringInfoChar(&text, '}');
	hash_destroy(sums);
	return text.data;
}
