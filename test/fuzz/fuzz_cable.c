/*
 * fuzz_cable.c
 *		Conversations over the cable, with everything that can happen meanwhile.
 *
 * The bytes are read as a script: clients come, say things (well-formed, or any
 * bytes, in any pieces), are slow, go; the database answers, refuses, is lost;
 * notifications come, true and forged; time passes.  libwebsockets, the clock and
 * the database are played here, so a second of it is a hundred thousand
 * happenings.  Of each frame that a client is sent it is checked that it was
 * allowed to be sent then, in cable_wire.h.
 */
#include <libwebsockets.h>
#include <time.h>

#include "address.h"
#include "admission.h"
#include "ask.h"
#include "auth.h"
#include "cable.h"
#include "cable_wire.h"
#include "clients.h"
#include "command.h"
#include "config.h"
#include "drain.h"
#include "conn.h"
#include "fuzz.h"
#include "hub.h"
#include "keys.h"
#include "loop.h"
#include "parts.h"

#define CLIENTS			3
#define BATCHES_MAX		ASK_BATCHES_MAX
#define STREAMS			4
#define FORGET_MS		3600000
#define NOW				INT64_C(1800000000)

static struct lws clients[CLIENTS];
static struct bridge bridge;
static struct config config;
static struct address loopback;
static int64_t clock_ms = 1000;
static int64_t began_ms;
static struct admission *admission;
static int64_t version;

static struct
{
	struct ask_batch *batch;
	int			rows;			/* 0: a question for snapshots */
	char	   *streams;		/* of each row, which */
}			asked[BATCHES_MAX];
static int	asked_count;

static char *tokens[4];

/* ---- the world ---- */

int64_t
loop_clock_ms(void)
{
	return clock_ms;
}

struct ev_loop *
loop_ev(struct loop *loop)
{
	(void) loop;
	return NULL;
}

struct lws_vhost *
loop_vhost(struct loop *loop)
{
	(void) loop;
	return NULL;
}

time_t		__wrap_time(time_t *out);

time_t
__wrap_time(time_t *out)
{
	if (out)
		*out = (time_t) (NOW + (clock_ms - began_ms) / 1000);
	return (time_t) (NOW + (clock_ms - began_ms) / 1000);
}

/*
 * Which stream each of the identifiers in an array is for: always the same, for
 * that is what they mean.  Returns how many there are.
 */
static int
read_streams(const char *array, char *streams)
{
	int			count = 0;
	unsigned	hash = 0;
	bool		is_quoted = false;

	for (const char *at = array + 1; *at; at++)
	{
		if (*at == '"')
			is_quoted = !is_quoted;
		else if (!is_quoted && (*at == ',' || *at == '}'))
		{
			streams[count++] = (char) (hash % STREAMS);
			hash = 0;
		}
		else if (*at == '\\')
			hash = hash * 31 + (unsigned char) *++at;
		else
			hash = hash * 31 + (unsigned char) *at;
	}
	must_hold(!is_quoted);
	return count;
}

static bool
port_subscribe(void *arg, const char *identifiers, const char *claims, const char *who,
			   struct ask_batch *batch)
{
	int			rows = 1;

	(void) arg;
	must_hold(identifiers[0] == '{' && claims[0] == '{' && asked_count < BATCHES_MAX);
	for (; *who; who++)
		rows += *who == ',';
	asked[asked_count].streams = malloc(strlen(identifiers));
	must_hold(read_streams(identifiers, asked[asked_count].streams) == rows);
	asked[asked_count].batch = batch;
	asked[asked_count++].rows = rows;
	return true;
}

static bool
port_snapshots(void *arg, const char *streams, struct ask_batch *batch)
{
	(void) arg;
	must_hold(streams[0] == '{' && asked_count < BATCHES_MAX);
	asked[asked_count].streams = NULL;
	asked[asked_count].batch = batch;
	asked[asked_count++].rows = 0;
	return true;
}

static const struct ask_port port = {.subscribe = port_subscribe, .snapshots = port_snapshots};

/* ---- what clients do ---- */

static void
come(struct lws *wsi, uint8_t which)
{
	const char *token = tokens[which % (sizeof(tokens) / sizeof(tokens[0]))];
	struct istr *place;

	if (wsi->is_there)
		return;
	adopting = wsi;
	must_hold(admission_enter(bridge.admission, &loopback, false, &place) == ADMISSION_OK);
	conns_adopt(bridge.conns, -1, place, false, false);
	if (cable_create(wsi->conn, token) > 0)
		destroy(wsi);			/* it was refused too often */
	else if (cable_callback(wsi, LWS_CALLBACK_ESTABLISHED, NULL, NULL, 0) != 0)
		hang_up(wsi);
}

/* What a client has unsubscribed from it may be confirmed again. */
static void
note_said(struct lws *wsi, const char *text, size_t len)
{
	struct command command;
	struct watched *watched;

	if (!command_parse(text, len, &command))
		return;
	watched = command.kind == COMMAND_UNSUBSCRIBE ? watched_of(wsi, command.identifier) : NULL;
	if (watched)
		watched->is_confirmed = false;
	command_clear(&command);
}

/* "flags": 1 its first piece, 2 its last, 4 it is binary. */
static void
say(struct lws *wsi, const char *text, size_t len, int flags)
{
	char	   *copy;

	if (!wsi->is_there || (!(flags & 1) && wsi->rx.len == 0))
		return;
	wsi->is_first = flags & 1;
	wsi->is_final = flags & 2;
	wsi->is_binary = flags & 4;
	if (wsi->is_first)
		buf_reset(&wsi->rx);
	buf_add(&wsi->rx, text, len);
	copy = fuzz_text((const uint8_t *) text, len);
	if (cable_callback(wsi, LWS_CALLBACK_RECEIVE, NULL, copy, len) != 0)
		hang_up(wsi);
	else if (wsi->is_there && wsi->is_final && !wsi->is_binary)
	{
		note_said(wsi, wsi->rx.data, wsi->rx.len);
		buf_reset(&wsi->rx);
	}
	free(copy);
}

static void
command(struct lws *wsi, const char *verb, uint8_t which)
{
	char		said[256];
	int			len = snprintf(said, sizeof(said), "{\"command\":\"%s\",\"identifier\":\"{\\\"id\\\":%d}\","
							   "\"data\":\"{\\\"action\\\":\\\"request_update\\\"}\"}", verb, which & 7);

	say(wsi, said, (size_t) len, 3);
}

static void
refresh(struct lws *wsi, uint8_t which)
{
	struct buf	said = {0};

	buf_printf(&said, "{\"command\":\"refresh\",\"token\":\"%s\"}",
			   tokens[which % (sizeof(tokens) / sizeof(tokens[0]))]);
	say(wsi, said.data, said.len, 3);
	buf_free(&said);
}

static void
writeable(struct lws *wsi)
{
	if (!wsi->is_there || !(wsi->wants_write || wsi->is_pending))
		return;
	wsi->wants_write = wsi->is_pending = false;
	if (cable_callback(wsi, LWS_CALLBACK_SERVER_WRITEABLE, NULL, NULL, 0) != 0)
		hang_up(wsi);
}

/* ---- what the database does ---- */

static void
answer_row(struct ask_batch *batch, int ord, int of, uint8_t how)
{
	static const char *const refusals[] = {"not_found", "malformed", "unavailable", "anything"};
	char		stream[16];
	char		payload[128];
	struct ask_row row = {.ord = ord, .stream = stream, .payload = payload};

	snprintf(stream, sizeof(stream), "s:%d", of);
	row.version = how & 8 ? ++version : version > 4 ? version - 4 : 1;
	row.payload_len = (size_t) snprintf(payload, sizeof(payload), "{\"stream\":%d,\"version\":%lld}",
										of, (long long) row.version);
	row.final = how & 16;
	if (how & 32)
		row.greeting = "{\"type\":\"connected\"}";
	if (how & 64)
		row.payload = NULL;
	if ((how & 128) && ord > 0)
		row.refused = refusals[how % (sizeof(refusals) / sizeof(refusals[0]))];
	ask_answer(batch, &row);
}

static void
answer(struct fuzz_input *input, uint8_t which)
{
	struct ask_batch *batch;
	int			rows;
	char	   *streams;

	if (asked_count == 0)
		return;
	batch = asked[0].batch;
	rows = asked[0].rows;
	streams = asked[0].streams;
	memmove(asked, asked + 1, (size_t) --asked_count * sizeof(asked[0]));
	for (int i = 1; which > 2 && i <= rows; i++)
		answer_row(batch, i, streams[i - 1], fuzz_byte(input));
	for (int i = 0; which > 2 && rows == 0 && i < STREAMS; i++)
		answer_row(batch, 0, i, fuzz_byte(input));
	free(streams);
	ask_done(batch, which == 0 ? ASK_LOST : which == 1 ? ASK_FAILED : ASK_ANSWERED);
}

static void
lose_database(void)
{
	struct fuzz_input none = {0};

	ask_set_live(bridge.ask, false);
	while (asked_count > 0)
		answer(&none, 0);
}

static void
take(const char *text, size_t len, bool is_trusted)
{
	struct event event;

	if (!event_parse(text, len, &event))
		return;
	if (event.type != EVENT_DISCONNECT)
	{
		/* only the worker's versions are kept account of */
		if (!is_trusted || event.payload == NULL)
			hub_take(bridge.hub, &event, is_trusted);
	}
	else if (is_trusted)
		clients_disconnect(&bridge, event_owner(&event), event.reconnect);
	event_clear(&event);
}

static void
notify(uint8_t how)
{
	char		said[256];
	struct event event;
	int64_t		told = how & 8 ? ++version : version > 2 ? version - 2 : 1;
	int			len = snprintf(said, sizeof(said), "{\"stream\":\"s:%d\",\"version\":%lld,\"type\":\"%s\",\"final\":%s",
							   how % STREAMS, (long long) told, how & 16 ? "revoked" : "progress", how & 32 ? "true" : "false");

	len += snprintf(said + len, sizeof(said) - (size_t) len, how & 64 ? "}" :
					",\"data\":{\"stream\":%d,\"version\":%lld}}", how % STREAMS, (long long) told);
	must_hold(event_parse(said, (size_t) len, &event));
	hub_take(bridge.hub, &event, !(how & 128));
	event_clear(&event);
}

static void
pass_time(uint8_t how)
{
	clock_ms += 100 * (1 + (int64_t) (how & 15) * (how & 15));
	conns_turn(bridge.conns, clock_ms);
	ask_tick(bridge.ask, clock_ms);
}

/* ---- the script ---- */

static void
happen(struct fuzz_input *input)
{
	uint8_t		what = fuzz_byte(input);
	uint8_t		how = fuzz_byte(input);
	struct lws *wsi = &clients[how >> 6 < CLIENTS ? how >> 6 : 0];
	char	   *chunk;
	size_t		len;

	switch (what % 20)
	{
		case 0:
			come(wsi, how);
			break;
		case 1:
		case 2:
			command(wsi, "subscribe", how);
			break;
		case 3:
			command(wsi, "unsubscribe", how);
			break;
		case 4:
			command(wsi, "message", how);
			break;
		case 5:
			refresh(wsi, how);
			break;
		case 6:
			chunk = fuzz_chunk(input, &len);
			say(wsi, chunk, len, how & 7);
			free(chunk);
			break;
		case 7:
			wsi->is_slow = how & 1;
			break;
		case 8:
		case 9:
			writeable(wsi);
			break;
		case 10:
			pass_time(how);
			break;
		case 11:
		case 12:
			answer(input, how & 15);
			break;
		case 13:
		case 14:
			notify(how);
			break;
		case 15:
			chunk = fuzz_chunk(input, &len);
			take(chunk, strlen(chunk), how & 1);
			free(chunk);
			break;
		case 16:
			if (how & 1)
				lose_database();
			else
				ask_set_live(bridge.ask, true);
			break;
		case 17:
			cables_keys_read(&bridge);
			break;
		case 18:
			clients_disconnect(&bridge, how & 1 ? "alice" : "bob", how & 2);
			break;
		case 19:
			if (how & 32)
				drain_begin(&bridge, 0);
			else if (wsi->is_there)
				hang_up(wsi);
			break;
	}
	/* the end of a turn of the loop */
	conns_reap(bridge.conns);
	ask_flush(bridge.ask);
}

static void
make_tokens(void)
{
	static char unknown[] = "eyJhbGciOiJIUzI1NiIsImtpZCI6Im9sZCJ9.eyJleHAiOjJ9.AAAA";
	static char bad[] = "nonsense";

	/* {"sub":"alice"} and {"sub":"bob"}, both signed with 32 bytes "k" */
	static char alice[] = "eyJhbGciOiJIUzI1NiIsImtpZCI6ImsifQ.eyJzdWIiOiJhbGljZSIsImV4cCI6MTgwMDAwMDA5MH0.TDhTh97v-iiicS7vMJRCqMXpZxYY6q_lJTN23JUuD2c";
	static char bob[] = "eyJhbGciOiJIUzI1NiIsImtpZCI6ImsifQ.eyJzdWIiOiJib2IiLCJleHAiOjE4MDAwMDM2MDB9.WF1bcnjgVWvRDk4w4lp9GabjCjhzXbb24RSr_xC0NH8";

	tokens[0] = alice;
	tokens[1] = bob;
	tokens[2] = unknown;
	tokens[3] = bad;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static char *const args[] = {(char *) (uintptr_t) "bridge", NULL};
	static char *environment[] = {NULL};
	char		error[256];

	(void) argc;
	(void) argv;
	log_set_level(LOG_LEVEL_ERROR);
	must_hold(config_load(&config, 1, (char **) (uintptr_t) args, environment, error, sizeof(error)) == CONFIG_RUN);
	make_tokens();
	admission = admission_create(&config);
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size};

	/*
	 * the tables of who was refused are too large to be made each time: let
	 * them forget
	 */
	clock_ms += FORGET_MS;
	began_ms = clock_ms;
	version = 10;
	bridge = (struct bridge)
	{
		.config = &config
	};
	bridge.intern = intern_create();
	bridge.auth = auth_create(bridge.intern, "");
	auth_keys_begin(bridge.auth);
	must_hold(auth_keys_add(bridge.auth, "k", "HS256", "{\"kty\":\"oct\",\"k\":\"a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s\"}"));
	auth_keys_end(bridge.auth);
	bridge.hub = hub_create(8);
	bridge.ask = ask_create(bridge.hub, &port, NULL);
	bridge.keys = keys_create(bridge.auth, NULL, NULL, NULL);
	bridge.admission = admission;
	bridge.conns = conns_create(&bridge);
	ask_tick(bridge.ask, clock_ms);
	ask_set_live(bridge.ask, true);

	while (input.left > 0)
		happen(&input);

	for (int i = 0; i < CLIENTS; i++)
		if (clients[i].is_there)
			hang_up(&clients[i]);
	lose_database();
	conns_free(bridge.conns);
	keys_free(bridge.keys);
	ask_free(bridge.ask);
	hub_free(bridge.hub);
	auth_free(bridge.auth);
	intern_free(bridge.intern);
	return 0;
}
