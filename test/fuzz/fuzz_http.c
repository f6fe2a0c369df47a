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
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "admission.h"
#include "boot.h"
#include "bridge.h"
#include "conn.h"
#include "fake_database.h"
#include "fuzz.h"
#include "log.h"
#include "loop.h"
#include "pace.h"
#include "parts.h"
#include "www.h"

#define ANSWER_MAX	65536
#define TURNS		8

static struct boot boot;
static struct bridge *bridge;

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
	const char *problem;
	int			count = (int) (sizeof(args) / sizeof(args[0])) - 1;

	(void) argc;
	(void) argv;
	log_set_level(LOG_LEVEL_ERROR);
	if (config_load(&boot.config, count, (char **) (uintptr_t) args, environment, error, sizeof(error)) != CONFIG_RUN)
		fprintf(stderr, "%s\n", error);
	must_hold(error[0] == '\0' && conninfo_parse(&boot.conninfo, "", error, sizeof(error)));
	sockets_open(&boot.sockets, &boot.config);
	boot.admission = admission_create(&boot.config);
	boot.pace = pace_create();
	boot.www = www_open(boot.config.www, &problem);
	must_hold(boot.www != NULL);
	bridge = bridge_open(&boot);
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
	struct istr *place;
	int			ends[2];

	database = fuzz_byte(&input);
	is_admin = database & 16;
	database &= DB_SILENT | DB_REFUSES | DB_LOST | DB_AWAY;
	piece = fuzz_byte(&input);
	answer_len = 0;
	must_hold(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
	must_hold(admission_enter(bridge->admission, &loopback, is_admin, &place) == ADMISSION_OK);
	conns_adopt(bridge->conns, ends[0], place, false, is_admin);
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
