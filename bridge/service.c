/*
 * service.c
 *		What a service manager hands over, and what it is told.
 *
 * systemd's protocol, by libsystemd where that was there when the bridge was
 * built: sockets that are open already, READY when it serves, RELOADING while it
 * reads its settings anew, STOPPING with the time that takes, a line of STATUS
 * for "systemctl status", and the watchdog's sign of life, from the loop's own
 * tick: a loop that hangs is found.  Without a service manager nothing is said.
 *
 * sd_notify() waits when the manager does not take what it is told: its socket is
 * full after some hundred messages, and everybody who is served would wait for a
 * manager that has died.  So it is written to here, by the protocol that its
 * manual page describes, and what finds no room is lost; what must not be is
 * told again.
 *
 * READY means that it listens.  It does not wait for the database: a bridge
 * serves through outages, and a machine whose database comes up last must not
 * give up the unit.  /readyz and STATUS tell of the database.
 */
#include "service.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

#ifdef HAVE_SYSTEMD

#include <systemd/sd-daemon.h>

#define SERVICE_SPARE_MS	2000	/* to come to an end after all have gone */

static char said[256];			/* the STATUS that was told last */
static bool owes_ready;			/* it found no room */

bool
service_is_known(void)
{
	return true;
}

/*
 * The sockets that were passed to this process; the caller gives the names
 * back.  No child sees them again.
 */
struct service_sockets
service_take_sockets(void)
{
	struct service_sockets sockets = {.first_fd = SD_LISTEN_FDS_START};

	sockets.count = sd_listen_fds_with_names(1, &sockets.names);
	if (sockets.count < 0)
		die(1, "service", "cannot take the sockets that were passed: %s",
			strerror(-sockets.count));
	return sockets;
}

/* False: the manager has no room for it now, and may be told again. */
static bool
tell(const char *text)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	const char *path = getenv("NOTIFY_SOCKET");
	size_t		len = path ? strlen(path) : 0;
	bool		is_told;
	int			fd;

	if (len < 2 || len > sizeof(to.sun_path))
		return true;			/* there is none, or none of that kind */
	memcpy(to.sun_path, path, len);
	if (path[0] == '@')
		to.sun_path[0] = '\0';	/* a name that is no file's */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	is_told = sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *) &to,
					 (socklen_t) (offsetof(struct sockaddr_un, sun_path) + len)) >= 0 ||
		(errno != EAGAIN && errno != ENOBUFS && errno != ENOMEM);
	close(fd);
	return is_told;
}

void
service_ready(void)
{
	owes_ready = !tell("READY=1");
}

/* To be followed by service_ready(), whatever comes of it. */
void
service_reloading(void)
{
	struct timespec now;
	char text[	64];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
			 (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000);
	(void) tell(text);
}

void
service_stopping(int64_t within_ms)
{
	char text[	64];

	snprintf(text, sizeof(text), "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRId64,
			 (within_ms + SERVICE_SPARE_MS) * 1000);
	(void) tell(text);
}

/* A line for people; only if it is another one than before. */
void
service_tell(const char *fmt,...)
{
	char		line[sizeof(said)];
	char text[	sizeof(said) + 8];
	va_list		args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	if (strcmp(line, said) == 0)
		return;
	snprintf(text, sizeof(text), "STATUS=%s", line);
	if (tell(text))
		strcpy(said, line);
}

/* The loop turns: twice as often as the watchdog wants to hear it. */
void
service_tick(int64_t now_ms)
{
	static int64_t due_ms;
	static int64_t every_ms = -1;
	uint64_t	limit_us = 0;

	if (every_ms < 0)
		every_ms = sd_watchdog_enabled(0, &limit_us) > 0 ? (int64_t) limit_us / 2000 : 0;
	if (owes_ready)
		service_ready();
	if (every_ms == 0 || now_ms < due_ms)
		return;
	if (tell("WATCHDOG=1"))
		due_ms = now_ms + every_ms;
}

#else							/* HAVE_SYSTEMD */

bool
service_is_known(void)
{
	return false;
}

struct service_sockets
service_take_sockets(void)
{
	struct service_sockets none = {0};

	if (getenv("LISTEN_FDS"))
		die(2, "service", "sockets were passed (LISTEN_FDS), but this bridge was built "
			"without libsystemd: build it with that, or start it without sockets");
	return none;
}

void
service_ready(void)
{
	if (getenv("NOTIFY_SOCKET"))
		log_warn("service", "the service manager waits to be told (NOTIFY_SOCKET), but this "
				 "bridge was built without libsystemd: use Type=exec");
}

void
service_reloading(void)
{
}

void
service_stopping(int64_t within_ms)
{
	(void) within_ms;
}

void
service_tell(const char *fmt,...)
{
	(void) fmt;
}

void
service_tick(int64_t now_ms)
{
	(void) now_ms;
}

#endif							/* HAVE_SYSTEMD */

void
service_drop_sockets(struct service_sockets *sockets)
{
	for (int i = 0; i < sockets->count; i++)
		free(sockets->names[i]);
	free(sockets->names);
}
