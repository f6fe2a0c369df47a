/*
 * fuzz_http.c
 *		Requests over HTTP, well-formed or not, to the whole bridge.
 *
 * Here libwebsockets and the event loop are the real ones, and the bytes go
 * through a socket.  Played are only the connections to the database, which
 * answer at once what the first byte says: a state, a refusal, that they are
 * lost, or nothing.  The second byte says in what pieces the request arrives.
 * Of the answer it is checked that its head is one that we would write, and
 * afterwards that no connection is left.  FUZZ_SHOW=1 shows the answers.
 */
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "admission.h"
#include "bridge.h"
#include "conn.h"
#include "fuzz.h"
#include "listen.h"
#include "log.h"
#include "loop.h"
#include "parts.h"
#include "pool.h"
#include "query.h"

#define ANSWER_MAX	65536
#define WAITING_MAX	64
#define TURNS		8

enum
{
	DB_SILENT = 1,
	DB_REFUSES = 2,
	DB_LOST = 4,
	DB_AWAY = 8
};

static const char *const jwk =
"{\"kty\":\"oct\",\"k\":\"a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s\"}";

static struct config config;
static struct conninfo conninfo;
static struct bridge *bridge;
static int	database;

/* ---- the connections to the database ---- */

struct listen
{
	const struct listen_ops *ops;
	void	   *arg;
};

struct query
{
	const struct query_ops *ops;
	void	   *arg;
};

struct pool_call
{
	pool_done	done;
	void	   *arg;
	int			columns;
};

static struct listen the_listen;
static struct query the_query;

static struct
{
	query_done	done;
	void	   *arg;
	int			columns;
	int			rows;
}			asked[WAITING_MAX];
static int	asked_count;

static struct pool_call *called[WAITING_MAX];
static int	called_count;

struct listen *
listen_create(struct ev_loop *loop, const struct conninfo *info, const struct listen_ops *ops, void *arg)
{
	(void) loop;
	(void) info;
	the_listen = (struct listen)
	{
		ops, arg
	};
	return &the_listen;
}

void
listen_free(struct listen *listen)
{
	(void) listen;
}

void
listen_start(struct listen *listen)
{
	(void) listen;
}

void
listen_tick(struct listen *listen, int64_t now_ms)
{
	(void) listen;
	(void) now_ms;
}

bool
listen_is_live(const struct listen *listen)
{
	(void) listen;
	return !(database & DB_AWAY);
}

const char *
listen_server(const struct listen *listen)
{
	(void) listen;
	return "";
}

double
listen_up_since(const struct listen *listen)
{
	(void) listen;
	return 0;
}

void
listen_restart(struct listen *listen, const char *why)
{
	(void) listen;
	(void) why;
}

const char *
listen_problem(const struct listen *listen)
{
	(void) listen;
	return "a problem";
}

struct query *
query_create(struct ev_loop *loop, const struct conninfo *info, const struct query_ops *ops, void *arg)
{
	(void) loop;
	(void) info;
	the_query = (struct query)
	{
		ops, arg
	};
	return &the_query;
}

void
query_free(struct query *query)
{
	(void) query;
}

void
query_start(struct query *query)
{
	(void) query;
}

void
query_tick(struct query *query, int64_t now_ms)
{
	(void) query;
	(void) now_ms;
}

bool
query_is_up(const struct query *query)
{
	(void) query;
	return !(database & DB_AWAY);
}

const char *
query_schema(const struct query *query)
{
	(void) query;
	return "sync";
}

const char *
query_server(const struct query *query)
{
	(void) query;
	return "";
}

double
query_up_since(const struct query *query)
{
	(void) query;
	return 0;
}

void
query_restart(struct query *query, const char *why)
{
	(void) query;
	(void) why;
}

const char *
query_problem(const struct query *query)
{
	(void) query;
	return "a problem";
}

/* The columns that this asks for, by which the answers are told apart. */
static int
columns_of(const char *sql)
{
	return strstr(sql, "_subscribe(") ? 7 : strstr(sql, "_snapshots(") ? 4 : strstr(sql, "_keys(") ? 3 :
		strstr(sql, "_perform(") ? 5 : strstr(sql, "_sessions(") ? 2 : 1;
}

bool
query_send(struct query *query, const char *sql, int count, const char *const *values, query_done done, void *arg)
{
	int			rows = 1;

	(void) query;
	if (asked_count == WAITING_MAX)
		return false;
	for (const char *at = count == 3 ? values[2] : ""; *at; at++)
		rows += *at == ',';
	asked[asked_count].done = done;
	asked[asked_count].arg = arg;
	asked[asked_count].columns = columns_of(sql);
	asked[asked_count++].rows = rows;
	return true;
}

struct pool *
pool_create(struct ev_loop *loop, const struct conninfo *info, int connections)
{
	(void) loop;
	(void) info;
	(void) connections;
	return (struct pool *) &called_count;
}

void
pool_free(struct pool *pool)
{
	(void) pool;
}

void
pool_start(struct pool *pool)
{
	(void) pool;
}

void
pool_turn(struct pool *pool)
{
	(void) pool;
}

void
pool_keep_to(struct pool *pool, const char *server)
{
	(void) pool;
	(void) server;
}

void
pool_tick(struct pool *pool, int64_t now_ms)
{
	(void) pool;
	(void) now_ms;
}

bool
pool_is_up(const struct pool *pool)
{
	(void) pool;
	return !(database & DB_AWAY);
}

int
pool_waiting(const struct pool *pool)
{
	(void) pool;
	return called_count;
}

struct pool_call *
pool_send(struct pool *pool, const char *key, const char *sql, int count, const char *const *values,
		  pool_done done, void *arg)
{
	struct pool_call *call;

	(void) pool;
	(void) key;
	(void) count;
	(void) values;
	if (called_count == WAITING_MAX || (database & DB_AWAY))
		return NULL;
	call = malloc(sizeof(*call));
	must_hold(call);
	*call = (struct pool_call)
	{
		done, arg, columns_of(sql)
	};
	called[called_count++] = call;
	return call;
}

static void
end_call(struct pool_call *call, enum pool_end end, const PGresult *result)
{
	struct pool_call copy = *call;

	for (int i = 0; i < called_count; i++)
		if (called[i] == call)
			called[i] = called[--called_count];
	free(call);
	copy.done(copy.arg, end, result);
}

void
pool_forget(struct pool_call *call)
{
	end_call(call, POOL_FORGOTTEN, NULL);
}

/* ---- what it answers ---- */

static void
set(PGresult *result, int row, int column, const char *value)
{
	must_hold(PQsetvalue(result, row, column, (char *) (uintptr_t) value, value ? (int) strlen(value) : -1));
}

static PGresult *
make_result(int columns, int rows)
{
	static const char *const state[] = {
		"sync:42", "1763776000123456", "{\"session_id\":42,\n\"status\":\"processing\",\"version\":1763776000123456}", "f"
	};
	PGresult   *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	PGresAttDesc columns_are[7] = {0};
	char		ord[16];

	for (int i = 0; i < columns; i++)
		columns_are[i].name = (char *) (uintptr_t) "column";
	must_hold(PQsetResultAttrs(result, columns, columns_are));
	for (int row = 0; row < rows; row++)
	{
		snprintf(ord, sizeof(ord), "%d", row + 1);
		for (int i = 0; i < 4 && (columns == 7 || columns == 5 || columns == 4); i++)
			set(result, row, (columns == 7) + i, state[i]);
		if (columns == 7)
		{
			set(result, row, 0, ord);
			set(result, row, 5, database & DB_REFUSES ? "not_found" : NULL);
			set(result, row, 6, "{\"type\":\"connected\",\"job_id\":\"1\"}");
		}
		else if (columns == 5)
			set(result, row, 4, "{\"session_id\":42}");
		else if (columns == 3)
		{
			set(result, row, 0, "k");
			set(result, row, 1, "HS256");
			set(result, row, 2, jwk);
		}
		else if (columns == 2)
		{
			set(result, row, 0, "{\"session_id\":42}");
			set(result, row, 1, NULL);
		}
		else if (columns == 1)
			set(result, row, 0, "{\"status\":\"accepted\"}");
	}
	return result;
}

static void
answer_one(void)
{
	PGresult   *result;

	if (asked_count > 0)
	{
		query_done	done = asked[0].done;
		void	   *arg = asked[0].arg;

		result = make_result(asked[0].columns, asked[0].rows);
		memmove(asked, asked + 1, (size_t) --asked_count * sizeof(asked[0]));
		done(arg, database & DB_LOST ? NULL : result, NULL);
	}
	else
	{
		result = make_result(called[0]->columns, 1);
		end_call(called[0], database & DB_LOST ? POOL_LOST : database & DB_REFUSES ? POOL_LATE : POOL_ANSWERED, result);
	}
	PQclear(result);
}

/* ---- the client ---- */

static char answer[ANSWER_MAX + 1];
static size_t answer_len;

static void
turn(int fd, int times)
{
	struct ev_loop *ev = loop_ev(bridge->loop);

	while (times-- > 0)
	{
		ssize_t		got;

		ev_run(ev, EVRUN_NOWAIT);
		while ((asked_count > 0 || called_count > 0) && !(database & DB_SILENT))
			answer_one();
		while (fd >= 0 && (got = read(fd, answer + answer_len, ANSWER_MAX - answer_len)) > 0)
			answer_len += (size_t) got;
	}
}

/* Nothing of a request must get into the head of its answer unless it is meant to. */
static void
check_head(void)
{
	static const char *const names[] = {
		"Access-Control-Allow-", "Access-Control-Max-Age:", "Access-Control-Expose-Headers:", "Allow:", "Cache-Control:",
		"Connection:", "Content-Encoding:", "Content-Security-Policy:", "Content-Length:", "Content-Type:", "ETag:",
		"Location:", "Referrer-Policy:", "Retry-After:", "Sec-WebSocket-", "Upgrade:", "Vary:", "WWW-Authenticate:",
		"X-Accel-Buffering:", "X-Content-Type-Options:",
		/* of libwebsockets' own */
		"connection:", "content-length:", "content-type:", "server:", "cache-control:", "keep-alive:",
	};
	char	   *line = answer;

	answer[answer_len] = '\0';
	if (getenv("FUZZ_SHOW"))
		fprintf(stderr, "%s\n", answer);
	if (answer_len == 0)
		return;
	must_hold(strncmp(answer, "HTTP/1.", 7) == 0);
	while ((line = strchr(line, '\n')) != NULL)
	{
		bool		is_known = false;

		must_hold(line[-1] == '\r');
		line++;
		if (*line == '\r' || *line == '\0')
			break;
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			is_known |= strncmp(line, names[i], strlen(names[i])) == 0;
		if (!is_known)
			fprintf(stderr, "%s\n", answer);
		must_hold(is_known);
	}
}

static void
end_connection(struct conn *conn, void *arg)
{
	(void) arg;
	conn_doom(conn);
}

static void
go_up(void)
{
	database = 0;
	the_query.ops->up(the_query.arg);
	the_listen.ops->live(the_listen.arg, true);
	turn(-1, TURNS);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static char *const args[] = {
		(char *) (uintptr_t) "bridge", (char *) (uintptr_t) "--listen", (char *) (uintptr_t) "127.0.0.1:0",
		(char *) (uintptr_t) "--www", (char *) (uintptr_t) "test/fuzz/corpus",
		(char *) (uintptr_t) "--allowed-origin", (char *) (uintptr_t) "https://example.com",
		(char *) (uintptr_t) "--route", (char *) (uintptr_t) "POST /api/v1/meshes/:id/cancel -> /sessions/MeshProgressChannel/:id/cancel",
		NULL
	};
	static char *environment[] = {NULL};
	char		error[1024] = "";
	int			count = (int) (sizeof(args) / sizeof(args[0])) - 1;

	(void) argc;
	(void) argv;
	log_set_level(LOG_LEVEL_ERROR);
	if (config_load(&config, count, (char **) (uintptr_t) args, environment, error, sizeof(error)) != CONFIG_RUN)
		fprintf(stderr, "%s\n", error);
	must_hold(error[0] == '\0' && conninfo_parse(&conninfo, "", error, sizeof(error)));
	bridge = bridge_open(&config, &conninfo);
	go_up();
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct address loopback;
	struct fuzz_input input = {data, size};
	size_t		piece;
	bool		is_admin;
	int			ends[2];

	database = fuzz_byte(&input);
	is_admin = database & 16;
	database &= DB_SILENT | DB_REFUSES | DB_LOST | DB_AWAY;
	piece = fuzz_byte(&input);
	answer_len = 0;
	must_hold(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
	conns_adopt(bridge->conns, ends[0], admission_place(bridge->admission, &loopback), false, is_admin);
	while (input.left > 0)
	{
		size_t		len = piece < 16 || piece * 4 > input.left ? input.left : piece * 4;
		ssize_t		sent = send(ends[1], input.next, len, MSG_NOSIGNAL);

		if (sent <= 0)
			break;				/* it has hung up */
		input.next += sent;
		input.left -= (size_t) sent;
		turn(ends[1], TURNS);
	}
	turn(ends[1], TURNS);
	check_head();
	close(ends[1]);

	turn(-1, TURNS);
	conns_each(bridge->conns, end_connection, NULL);
	database &= ~DB_SILENT;
	turn(-1, TURNS);
	must_hold(conns_count(bridge->conns) == 0);
	if (database & DB_AWAY)
		go_up();
	return 0;
}
