/* Everybody gets the newest state, once, and never an older one. */
#include "hub.h"

#include "tap.h"
#include "fake.h"

static struct hub *hub;

static void
state(const char *stream, int64_t version, const char *payload)
{
	struct msg *msg = msg_create(payload, strlen(payload));

	hub_state(hub, stream, version, false, msg);
	msg_drop(msg);
}

static void
event(enum event_type type, const char *stream, int64_t version, const char *payload,
	  bool is_trusted)
{
	struct event event = {
		.type = type,
		.stream = (char *) (uintptr_t) stream,
		.version = version,
		.payload = payload ? msg_create(payload, strlen(payload)) : NULL
	};

	hub_take(hub, &event, is_trusted);
	msg_drop(event.payload);
}

static int	visited;

static void
count_visit(struct hub_sub *sub, void *arg)
{
	(void) sub;
	(void) arg;
	visited++;
}

static void
watch(struct client *client, const char *stream)
{
	hub_attach(hub, &client->sub, stream);
	client->sub.is_confirmed = client->sub.owes_confirm = true;
	fake_owed(client, &client->sub);
}

int
main(void)
{
	struct intern *intern = intern_create();
	struct client a,
				b,
				c;
	const char *wanted;

	hub = hub_create(100);
	fake_init(&a, intern, "id1", "x");
	fake_init(&b, intern, "id1", "y");
	fake_init(&c, intern, "id2", "x");

	state("s", 5, "early");
	watch(&a, "s");
	is(a.log, "C:id1 ", "nothing is known of a stream before it is watched");
	state("s", 10, "ten");
	is(a.log, "C:id1 id1=ten ", "a state is told");
	watch(&b, "s");
	is(b.log, "C:id1 id1=ten ", "who comes later is confirmed and gets the latest state");
	watch(&c, "s");

	fake_states_built = 0;
	state("s", 11, "eleven");
	is(c.log, "C:id2 id2=ten id2=eleven ", "the same stream under another identifier");
	is_int(fake_states_built, 2, "a frame is built once for each group");
	state("s", 11, "other");
	state("s", 10, "ten");
	is(a.log, "C:id1 id1=ten id1=eleven ", "what is not newer is not told");

	a.is_busy = true;
	state("s", 12, "twelve");
	state("s", 13, "thirteen");
	is(b.log, "C:id1 id1=ten id1=eleven id1=twelve id1=thirteen ", "a slow client holds up nobody");
	a.is_busy = false;
	fake_owed(&a, &a.sub);
	is(a.log, "C:id1 id1=ten id1=eleven id1=thirteen ", "and gets the newest state only");
	fake_owed(&a, &a.sub);
	is(a.log, "C:id1 id1=ten id1=eleven id1=thirteen ", "once");

	a.sub.owes_state = true;
	fake_owed(&a, &a.sub);
	is(a.log, "C:id1 id1=ten id1=eleven id1=thirteen id1=thirteen ", "who asks for it gets it again");

	hub_detach(hub, &a.sub);
	event(EVENT_PROGRESS, "s", 14, "fourteen", true);
	ok(strstr(a.log, "fourteen") == NULL, "who has left is told nothing");
	ok(strstr(b.log, "id1=fourteen") != NULL, "a notification of the worker is told");

	event(EVENT_PROGRESS, "s", 99, "forged", false);
	ok(strstr(b.log, "forged") == NULL, "one of anybody else is not");
	ok(!hub_next_wanted(hub, false, &wanted, count_visit, NULL), "and is not urgent");
	ok(hub_next_wanted(hub, true, &wanted, count_visit, NULL), "but its stream is to be read");
	is(wanted, "s", "by name");
	ok(!hub_next_wanted(hub, true, &wanted, count_visit, NULL), "once");
	event(EVENT_PROGRESS, "s", 15, "fifteen", true);
	ok(strstr(b.log, "id1=fifteen") != NULL, "the forged version holds up no true one");
	event(EVENT_PROGRESS, "unwatched", 1, "x", false);
	ok(!hub_next_wanted(hub, true, &wanted, count_visit, NULL), "nobody reads what nobody watches");

	event(EVENT_PROGRESS, "s", 16, NULL, true);
	event(EVENT_PROGRESS, "s", 17, NULL, false);
	ok(hub_next_wanted(hub, false, &wanted, count_visit, NULL), "a state whose data was left out is read at once");
	is_int(visited, 0, "rights are not asked for then");
	event(EVENT_PROGRESS, "s", 15, NULL, true);
	ok(!hub_next_wanted(hub, false, &wanted, count_visit, NULL), "not if it is known already");
	event(EVENT_REVOKED, "s", 0, NULL, true);
	ok(hub_next_wanted(hub, false, &wanted, count_visit, NULL), "a revocation is seen to at once");
	is_int(visited, 2, "for every subscription of the stream");
	event(EVENT_PROGRESS, "s", 20, "secret", true);
	ok(strstr(b.log, "secret") == NULL, "who may have lost the right is told nothing until asked about");
	b.sub.is_doubted = c.sub.is_doubted = false;
	fake_owed(&b, &b.sub);
	ok(strstr(b.log, "id1=secret") != NULL, "and then what is newest");
	event(EVENT_REVOKED, "s", 0, NULL, false);
	ok(!b.sub.is_doubted, "a revocation that anybody sent silences nobody");
	ok(hub_next_wanted(hub, true, &wanted, count_visit, NULL) && visited == 4, "one of anybody else in its turn");

	visited = 0;
	hub_each(hub, count_visit, NULL);
	is_int(visited, 2, "all subscriptions can be visited");
	hub_attach(hub, &b.sub, "other");
	state("s", 28, "eighteen");
	ok(strstr(b.log, "eighteen") == NULL, "a subscription can move to another stream");
	state("other", 1, "first");
	ok(strstr(b.log, "id1=first") != NULL, "whose versions are its own");

	b.sub.owes_reject = true;
	hub_detach(hub, &b.sub);
	fake_owed(&b, &b.sub);
	ok(strstr(b.log, "R:id1") != NULL && b.is_over, "a rejection is the last frame");

	hub_detach(hub, &c.sub);
	hub_detach(hub, &c.sub);
	fake_done(&a);
	fake_done(&b);
	fake_done(&c);
	hub_free(hub);
	intern_free(intern);
	return tap_done();
}
