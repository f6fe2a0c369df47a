/*
 * settings.c
 *		The table of settings.
 *
 * A setting is one row: its key, the shape of its value, where it goes, what it
 * is when nothing is said, its line of help, and whether it can change while the
 * bridge runs.  From the key come the flag
 * (--max-connections), the variable (SYNC_PROGRESS_MAX_CONNECTIONS) and the
 * line in the file (max_connections = ...), so that none of the four can be
 * forgotten or drift from the others.
 */
#include "settings.h"

#include "config.h"

#define AT(member)	offsetof(struct config, member)

const struct setting settings[] = {
	{"listen", KIND_LIST, AT(listen), "127.0.0.1:8080", NULL, 0, 0, "ADDR",
	"address and port to serve on; repeatable; port 0 takes a free one", SETTING_FIXED},
	{"admin_listen", KIND_LIST, AT(admin_listen), "", NULL, 0, 0, "ADDR",
		"where /metrics, /dashboard, /readyz and /healthz are, without TLS; then only /healthz "
	"is on listen", SETTING_FIXED},
	{"db", KIND_TEXT, AT(db), "", NULL, 0, 0, "CONNINFO",
	"the database, as a libpq connection string; PG* variables work too", SETTING_FIXED},
	{"auth", KIND_WORD, AT(auth), "jwt", "jwt none", 0, 0, "jwt|none",
	"none lets everybody see everything, and is refused off loopback", SETTING_FIXED},
	{"audience", KIND_TEXT, AT(audience), "", NULL, 0, 0, "NAME",
	"refuse tokens whose aud does not name this", SETTING_LIVE},
	{"cookie", KIND_TEXT, AT(cookie), "sync_progress_token", NULL, 0, 0, "NAME",
	"name of the cookie that may hold the token", SETTING_LIVE},
	{"allowed_origin", KIND_LIST, AT(allowed_origin), "", NULL, 0, 0, "URL",
		"page origin that may connect, besides the bridge's own; https://*.example.com: "
	"all names below; *: every page, but no cookies; repeatable", SETTING_LIVE},
	{"tls_cert", KIND_TEXT, AT(tls_cert), "", NULL, 0, 0, "FILE",
	"certificate with its chain, PEM; all of listen speaks TLS then", SETTING_LIVE},
	{"tls_key", KIND_TEXT, AT(tls_key), "", NULL, 0, 0, "FILE",
	"its private key, PEM, without a passphrase", SETTING_LIVE},
	{"www", KIND_TEXT, AT(www), "", NULL, 0, 0, "DIR",
	"directory of static files to serve at /", SETTING_LIVE},
	{"route", KIND_LIST, AT(route), "", NULL, 0, 0, "LINE",
	"a path of your own: GET /jobs/:id -> /sessions/SyncStatusChannel/:id; repeatable", SETTING_LIVE},
	{"workers", KIND_INT, AT(workers), "1", NULL, 0, CONFIG_WORKERS_MAX, "N",
		"processes that serve, each with connections to the database of its own; 0: one for "
	"each CPU core", SETTING_FIXED},
	{"log_level", KIND_WORD, AT(log_level), "info", "error warn info debug", 0, 0,
	"LEVEL", "error, warn, info or debug", SETTING_LIVE},
	{"max_connections", KIND_INT, AT(max_connections), "10000", NULL, 1, 1000000,
	"N", "connections at a time; more are answered 503", SETTING_LIVE},
	{"max_connections_per_address", KIND_INT, AT(max_connections_per_address), "1000",
		NULL, 0, 1000000, "N",
	"connections from one IPv4 address or IPv6 /64; more are answered 429; 0: no limit", SETTING_LIVE},
	{"trusted_proxy", KIND_LIST, AT(trusted_proxy), "", NULL, 0, 0, "CIDR",
	"proxy whose X-Forwarded-For and -Host are believed; repeatable", SETTING_LIVE},
	{"accepts_per_second", KIND_INT, AT(accepts_per_second), "4000", NULL, 0, 1000000,
	"N", "new connections; more wait, nobody is refused; 0: no limit", SETTING_LIVE},
	{"refused_per_minute", KIND_INT, AT(refused_per_minute), "10", NULL, 0, 6000,
		"N", "refusals of one subject, or of one address without a token; then 429; 0: no limit",
	SETTING_LIVE},
	{"max_subscriptions", KIND_INT, AT(max_subscriptions), "100", NULL, 1, 10000,
	"N", "subscriptions of one connection; more are rejected", SETTING_LIVE},
	{"action_connections", KIND_INT, AT(action_connections), "2", NULL, 1, 16,
	"N", "connections to the database for actions, lists and workers' reports", SETTING_FIXED},
	{"body_bytes", KIND_INT, AT(body_bytes), "65536", NULL, 1024, 16777216,
	"N", "body of a request; a larger one is answered 413", SETTING_LIVE},
	{"frame_bytes", KIND_INT, AT(frame_bytes), "65536", NULL, 1024, 16777216,
	"N", "largest frame from a client; a larger one ends the connection", SETTING_LIVE},
	{"header_pool", KIND_INT, AT(header_pool), "2000", NULL, 1, 100000,
	"N", "requests whose headers are read at a time, 9 kB each; more wait", SETTING_FIXED},
	{"handshake_timeout_ms", KIND_INT, AT(handshake_timeout_ms), "10000", NULL, 100,
		600000, "N", "time for TLS and the headers of a request together, and again for its body",
	SETTING_LIVE},
	{"reply_timeout_ms", KIND_INT, AT(reply_timeout_ms), "30000", NULL, 100, 600000,
	"N", "time for a client to take an answer; a second more for every 64 kB of it", SETTING_LIVE},
	{"keepalive_timeout_ms", KIND_INT, AT(keepalive_timeout_ms), "75000", NULL, 100,
	3600000, "N", "how long a connection is kept for a further request", SETTING_LIVE},
	{"stalled_timeout_ms", KIND_INT, AT(stalled_timeout_ms), "90000", NULL, 1000,
	86400000, "N", "a client that takes nothing for so long is disconnected", SETTING_LIVE},
	{"send_buffer_bytes", KIND_INT, AT(send_buffer_bytes), "16384", NULL, 2048,
	16777216, "N", "the kernel's send buffer for a connection", SETTING_LIVE},
	{"heartbeat_seconds", KIND_INT, AT(heartbeat_seconds), "30", NULL, 1, 3600,
	"N", "seconds between the heartbeats of an event stream", SETTING_LIVE},
	{"stream_lifetime_seconds", KIND_INT, AT(stream_lifetime_seconds), "3600", NULL, 0,
		2000000, "N", "an event stream's client is made to come again after so long, 10 % "
	"more or less; 0: never", SETTING_LIVE},
	{"drain_seconds", KIND_INT, AT(drain_seconds), "10", NULL, 0, 3600, "N",
	"over how long clients are sent away when it is stopped; 0: all at once", SETTING_LIVE},
	{"alarm_latency_ms", KIND_INT, AT(alarm_latency_ms), "200", NULL, 0, 600000, "N",
	"warn when 5 % of the messages take longer from the database to the sockets; 0: never", SETTING_LIVE},
	{"alarm_depth", KIND_INT, AT(alarm_depth), "100", NULL, 0, 1000000, "N",
	"warn when more than this waits in a queue for 10 s; 0: never", SETTING_LIVE},
};

#define SETTINGS_COUNT	(sizeof(settings) / sizeof(settings[0]))

_Static_assert(SETTINGS_COUNT <= SETTINGS_MAX, "SETTINGS_MAX must grow");

const int	settings_count = (int) SETTINGS_COUNT;
