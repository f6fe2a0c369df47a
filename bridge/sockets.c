/*
 * sockets.c
 *		The sockets that are listened on.
 *
 * They are opened once, at boot, before there is a loop, so that they can be
 * handed on.  A service manager may have opened them already (socket activation):
 * then whoever connects while the bridge is started anew waits, and nobody is
 * turned away.  What it passes stands in for the settings, for listen and for
 * admin_listen apart: a socket that it calls admin_listen is for administrators,
 * any other is where clients come in.
 */
#include "sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "service.h"

/* ---- addresses ---- */

/*
 * "127.0.0.1:8080", "[::1]:8080", "localhost:8080", ":8080" for all.  With
 * AI_NUMERICHOST in "flags" no name is looked up, which would block.
 */
static struct addrinfo *
parse_address(const char *where, int flags, const char **error)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | flags};
	struct addrinfo *info = NULL;
	char		host[256];
	const char *colon = strrchr(where, ':');
	char	   *end;
	long		port;
	int			code;

	*error = "it must be of the form ADDRESS:PORT, such as 127.0.0.1:8080, [::1]:8080 or "
		":8080 for all addresses, with a port of at most 65535";
	if (colon == NULL || colon[1] == '\0' || (size_t) (colon - where) >= sizeof(host))
		return NULL;
	port = strtol(colon + 1, &end, 10);
	if (*end != '\0' || port < 0 || port > 65535)
		return NULL;
	snprintf(host, sizeof(host), "%.*s", (int) (colon - where), where);
	if (host[0] == '[' && host[strlen(host) - 1] == ']')
	{
		host[strlen(host) - 1] = '\0';
		memmove(host, host + 1, strlen(host));
	}
	else if (strchr(host, ':'))
		return NULL;
	code = getaddrinfo(host[0] && strcmp(host, "*") != 0 ? host : NULL, colon + 1,
					   &hints, &info);
	if (code == 0)
		return info;
	*error = code == EAI_NONAME && (flags & AI_NUMERICHOST) ? NULL : gai_strerror(code);
	return NULL;
}

static bool
is_loopback(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET)
	{
		const struct sockaddr_in *in = (const struct sockaddr_in *) address;

		return (ntohl(in->sin_addr.s_addr) >> 24) == 127;
	}
	if (address->sa_family == AF_INET6)
	{
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *) address;

		return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
	}
	return false;
}

/* NULL, or what is wrong with an address of the setting "key". */
static const char *
check_address(const char *key, const char *where, bool may_resolve, bool must_be_loopback)
{
	static char problem[512];
	const char *error;
	struct addrinfo *info = parse_address(where, may_resolve ? 0 : AI_NUMERICHOST, &error);
	bool		loopback = info && is_loopback(info->ai_addr);

	if (info == NULL && error == NULL)
		return NULL;			/* a name, to be looked up later */
	if (info)
		freeaddrinfo(info);
	if (info == NULL)
		snprintf(problem, sizeof(problem), "bad value for %s: \"%s\": %s", key, where, error);
	else if (must_be_loopback && !loopback)
		snprintf(problem, sizeof(problem), "auth = none lets everybody see everything "
				 "and is allowed on loopback only, not on \"%s\"", where);
	else
		return NULL;
	return problem;
}

/*
 * Are the addresses sound, and such that nobody else reaches a bridge that
 * asks for no token?  Returns what is wrong, or NULL.
 */
const char *
sockets_check(const struct config *config, bool may_resolve)
{
	const char *problem = NULL;

	for (int i = 0; i < config->admin_listen.count && problem == NULL; i++)
		problem = check_address("admin_listen", config->admin_listen.items[i], may_resolve,
								false);
	if (problem == NULL && config->listen.count + config->admin_listen.count > SOCKETS_MAX)
		problem = "too many addresses to listen on";
	for (int i = 0; i < config->listen.count && problem == NULL; i++)
		problem = check_address("listen", config->listen.items[i], may_resolve,
								config->auth == CONFIG_AUTH_NONE);
	return problem;
}

/* ---- opening ---- */

static int
open_socket(const char *text)
{
	const char *error;
	struct addrinfo *info = parse_address(text, 0, &error);
	int			on = 1;
	int			fd;

	if (info == NULL)
		die(2, "sockets", "bad value for listen: \"%s\": %s", text, error);
	fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die(1, "sockets", "cannot open a socket for %s: %s", text, strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, info->ai_addr, info->ai_addrlen) != 0)
		die(1, "sockets", "cannot listen on %s: %s", text, strerror(errno));
	if (listen(fd, SOCKETS_BACKLOG) != 0)
		die(1, "sockets", "cannot listen on %s: %s", text, strerror(errno));
	freeaddrinfo(info);
	return fd;
}

static void
add_socket(struct sockets *sockets, int fd, bool is_admin, bool is_passed)
{
	if (sockets->count == SOCKETS_MAX)
		die(2, "sockets", "too many sockets to listen on max=%d", SOCKETS_MAX);
	sockets->items[sockets->count++] = (struct socket)
	{
		.fd = fd, .is_admin = is_admin, .is_passed = is_passed
	};
}

/* A socket that somebody else has opened: is it one that can be served on? */
static void
check_passed(int fd, const char *name, bool must_be_loopback)
{
	struct sockaddr_storage address = {0};
	socklen_t	len = sizeof(address);
	int			is_listening = 0;
	socklen_t	flag_len = sizeof(is_listening);

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &flag_len) != 0 ||
		!is_listening || getsockname(fd, (struct sockaddr *) &address, &len) != 0 ||
		(address.ss_family != AF_INET && address.ss_family != AF_INET6))
		die(2, "sockets", "what was passed is no TCP socket that listens (ListenStream= with a "
			"port, Accept=no) fd=%d name=%s", fd, name);
	if (must_be_loopback && !is_loopback((struct sockaddr *) &address))
		die(2, "sockets", "auth = none lets everybody see everything and is allowed on "
			"loopback only, which the socket that was passed is not fd=%d name=%s", fd, name);
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0 ||
		fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		die(1, "sockets", "cannot use the socket that was passed fd=%d: %s", fd,
			strerror(errno));
}

/* Take what a service manager has opened; how many of both kinds. */
static void
take_passed(struct sockets *sockets, bool has_no_auth, int *public, int *admin)
{
	struct service_sockets passed = service_take_sockets();

	for (int i = 0; i < passed.count; i++)
	{
		bool		is_admin = strcmp(passed.names[i], "admin_listen") == 0;

		check_passed(passed.first_fd + i, passed.names[i], has_no_auth && !is_admin);
		add_socket(sockets, passed.first_fd + i, is_admin, true);
		*(is_admin ? admin : public) += 1;
	}
	service_drop_sockets(&passed);
}

/* Open all of them, at boot. */
void
sockets_open(struct sockets *sockets, const struct config *config)
{
	int			public = 0;
	int			admin = 0;

	sockets->count = 0;
	take_passed(sockets, config->auth == CONFIG_AUTH_NONE, &public, &admin);
	for (int i = 0; i < config->listen.count && public == 0; i++)
		add_socket(sockets, open_socket(config->listen.items[i]), false, false);
	for (int i = 0; i < config->admin_listen.count && admin == 0; i++)
		add_socket(sockets, open_socket(config->admin_listen.items[i]), true, false);
	if (public + admin > 0)
		log_info("sockets", "passed by the service manager, instead of the settings "
				 "listen=%d admin_listen=%d", public, admin);
}

/* Whoever else has them goes on. */
void
sockets_close(struct sockets *sockets)
{
	while (sockets->count > 0)
		close(sockets->items[--sockets->count].fd);
}

/* Say where the bridge can be reached; port 0 has become a real one. */
void
sockets_announce(const struct sockets *sockets)
{
	for (int i = 0; i < sockets->count; i++)
	{
		struct sockaddr_storage address;
		socklen_t	len = sizeof(address);
		char		host[NI_MAXHOST];
		char		port[NI_MAXSERV];
		bool		is_v6;

		if (getsockname(sockets->items[i].fd, (struct sockaddr *) &address, &len) != 0 ||
			getnameinfo((struct sockaddr *) &address, len, host, sizeof(host), port,
						sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
			continue;
		is_v6 = address.ss_family == AF_INET6;
		log_info("main", "ready %s=%s%s%s:%s", sockets->items[i].is_admin ? "admin_listen" :
				 "listen", is_v6 ? "[" : "", host, is_v6 ? "]" : "", port);
	}
}
