/*
 * watchers.h
 *		Three clients that watch streams of the hub.
 */
#ifndef WATCHERS_H
#define WATCHERS_H

#include "fake.h"
#include "unit.h"

/* "a" and "b" say "id1", "c" says "id2". */
static struct client a;
static struct client b;
static struct client c;

static int	visited;

static inline int
begin(void **state)
{
	intern = intern_create();
	hub = hub_create(100);
	fake_init(&a, "id1", "x");
	fake_init(&b, "id1", "y");
	fake_init(&c, "id2", "x");
	fake_states_built = fake_events_built = 0;
	visited = 0;
	return 0;
}

static inline int
end(void **state)
{
	hub_detach(hub, &a.sub);
	hub_detach(hub, &b.sub);
	hub_detach(hub, &c.sub);
	fake_done(&a);
	fake_done(&b);
	fake_done(&c);
	hub_free(hub);
	intern_free(intern);
	return 0;
}

static inline void
tell(const char *stream, int64_t version, const char *payload)
{
	struct msg *msg = msg_create(payload, strlen(payload));

	hub_state(hub, stream, version, false, msg);
	msg_drop(msg);
}

static inline void
watch(struct client *client, const char *stream)
{
	hub_attach(hub, &client->sub, stream);
	client->sub.is_confirmed = client->sub.owes_confirm = true;
	fake_owed(client, &client->sub);
}

/* All three watch "s", and what they were told so far is not of interest. */
static inline int
begin_watched(void **state)
{
	begin(state);
	watch(&a, "s");
	watch(&b, "s");
	watch(&c, "s");
	tell("s", 10, "ten");
	a.log[0] = b.log[0] = c.log[0] = '\0';
	fake_states_built = 0;
	return 0;
}

static inline void
count_visit(struct hub_sub *sub, void *arg)
{
	visited++;
}

#define hub_test(test) cmocka_unit_test_setup_teardown(test, begin, end)
#define watched_test(test) cmocka_unit_test_setup_teardown(test, begin_watched, end)

#endif							/* WATCHERS_H */
