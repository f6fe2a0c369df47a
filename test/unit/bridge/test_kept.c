/* What is notified while a query is under way is not lost, and has a bound. */
#include "kept.h"

#include "tap.h"

int
main(void)
{
	struct kept *kept = kept_create(3);
	struct msg *one = msg_create("{\"n\":1}", 7);
	struct msg *two = msg_create("{\"n\":2}", 7);
	const struct kept_entry *entry;
	uint64_t	first;
	uint64_t	second;
	uint64_t	many[KEPT_QUERIES_MAX];

	kept_note(kept, KEPT_STATE, "sync:1", 10, false, one);
	is_int((long long) kept_count(kept), 0, "nothing is kept while no query is under way");

	first = kept_begin(kept);
	kept_note(kept, KEPT_STATE, "sync:1", 20, true, two);
	kept_note(kept, KEPT_STATE, "sync:1", 10, false, one);
	entry = kept_find(kept, "sync:1");
	ok(entry && entry->version == 20 && entry->final && entry->payload == two,
	   "the newest of a stream is kept, in whatever order they come");
	kept_note(kept, KEPT_STATE, "sync:1", 30, false, NULL);
	ok(entry->version == 30 && entry->payload == NULL, "a version whose data was left out replaces an older state");
	kept_note(kept, KEPT_HINT, "sync:2", 99, false, NULL);
	kept_note(kept, KEPT_REVOKED, "sync:1", 0, false, NULL);
	entry = kept_find(kept, "sync:2");
	ok(entry && entry->version == 0 && entry->hint_seq > first, "of a hint only that it came");
	ok(kept_find(kept, "sync:1")->revoked_seq > first, "a revocation is kept beside the state");

	second = kept_begin(kept);
	ok(kept_find(kept, "sync:1")->revoked_seq < second, "a later query knows that it came before");
	kept_end(kept, first);
	is_int((long long) kept_count(kept), 0, "what came before every query under way goes");
	kept_note(kept, KEPT_STATE, "sync:3", 1, false, one);
	kept_end(kept, second);
	ok(kept_find(kept, "sync:3") == NULL, "and all of it with the last query");

	first = kept_begin(kept);
	kept_note(kept, KEPT_STATE, "a", 1, false, one);
	kept_note(kept, KEPT_STATE, "b", 1, false, one);
	kept_note(kept, KEPT_STATE, "c", 1, false, one);
	ok(kept_is_complete(kept, first), "up to the bound nothing is lost");
	kept_note(kept, KEPT_STATE, "a", 2, false, two);
	second = kept_begin(kept);
	kept_note(kept, KEPT_STATE, "d", 1, false, one);
	is_int((long long) kept_count(kept), 3, "the bound holds");
	ok(kept_find(kept, "b") == NULL && kept_find(kept, "a"), "what was quiet longest goes first");
	ok(!kept_is_complete(kept, first), "a query from before the loss is told of it");
	ok(kept_is_complete(kept, second), "one from after it is not");
	kept_end(kept, first);
	kept_end(kept, second);

	for (int i = 0; i < KEPT_QUERIES_MAX; i++)
		many[i] = kept_begin(kept);
	is_int((long long) kept_begin(kept), 0, "the number of queries under way has a bound too");
	kept_end(kept, many[3]);
	ok(kept_begin(kept) != 0, "and a place that was given back is used again");
	kept_free(kept);
	msg_drop(one);
	msg_drop(two);
	return tap_done();
}
