/*
 * settings.c
 *		The table of settings.
 *
 * A setting is one row: its key, the shape of its value, where it goes, what it
 * is when nothing is said, and its line of help.  From the key come the flag
 * (--max-connections), the variable (SYNC_PROGRESS_MAX_CONNECTIONS) and the
 * line in the file (max_connections = ...), so that none of the four can be
 * forgotten or drift from the others.
 */
#include "settings.h"

#include "config.h"

#define AT(member)	offsetof(struct config, member)

const struct setting settings[] = {
	{"listen", KIND_LIST, AT(listen), "127.0.0.1:8080", NULL, 0, 0, "ADDR",
	"address and port to serve on; repeatable; port 0 takes a free one"},
	{"db", KIND_TEXT, AT(db), "", NULL, 0, 0, "CONNINFO",
	"the database, as a libpq connection string; PG* variables work too"},
	{"auth", KIND_WORD, AT(auth), "jwt", "jwt none", 0, 0, "jwt|none",
	"none lets everybody see everything, and is refused off loopback"},
	{"audience", KIND_TEXT, AT(audience), "", NULL, 0, 0, "NAME",
	"refuse tokens whose aud does not name this"},
	{"cookie", KIND_TEXT, AT(cookie), "sync_progress_token", NULL, 0, 0, "NAME",
	"name of the cookie that may hold the token"},
	{"allowed_origin", KIND_LIST, AT(allowed_origin), "", NULL, 0, 0, "URL",
		"page origin that may connect, besides the bridge's own; https://*.example.com: "
	"all names below; *: every page, but no cookies; repeatable"},
	{"tls_cert", KIND_TEXT, AT(tls_cert), "", NULL, 0, 0, "FILE",
	"certificate with its chain, PEM: all addresses speak TLS then"},
	{"tls_key", KIND_TEXT, AT(tls_key), "", NULL, 0, 0, "FILE",
	"its private key, PEM, without a passphrase"},
	{"www", KIND_TEXT, AT(www), "", NULL, 0, 0, "DIR",
	"directory of static files to serve at /"},
	{"route", KIND_LIST, AT(route), "", NULL, 0, 0, "LINE",
	"a path of your own: GET /jobs/:id -> /sessions/SyncStatusChannel/:id; repeatable"},
	{"log_level", KIND_WORD, AT(log_level), "info", "error warn info debug", 0, 0,
	"LEVEL", "error, warn, info or debug"},
	{"max_connections", KIND_INT, AT(max_connections), "10000", NULL, 1, 1000000,
	"N", "connections at a time; more are answered 503"},
	{"max_subscriptions", KIND_INT, AT(max_subscriptions), "100", NULL, 1, 10000,
	"N", "subscriptions of one connection; more are rejected"},
	{"body_bytes", KIND_INT, AT(body_bytes), "65536", NULL, 1024, 16777216,
	"N", "body of a request; a larger one is answered 413"},
	{"send_buffer_bytes", KIND_INT, AT(send_buffer_bytes), "16384", NULL, 2048,
	16777216, "N", "kernel's send buffer of a connection"},
};

#define SETTINGS_COUNT	(sizeof(settings) / sizeof(settings[0]))

_Static_assert(SETTINGS_COUNT <= SETTINGS_MAX, "SETTINGS_MAX must grow");

const int	settings_count = (int) SETTINGS_COUNT;
