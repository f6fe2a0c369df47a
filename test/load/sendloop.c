/*
 * sendloop.c
 *		The limit: the least that a server can do for a message to all.
 *
 *		sendloop [SO_SNDBUF]
 *
 * Accepts WebSockets on a free port of 127.0.0.1, which it prints, asks nothing
 * and reads nothing but the handshake.  A line on stdin is a message: %t in it
 * becomes the time, then one ready frame is sent to all by send() in a loop.
 * What a client does not take is dropped; how often is printed at the end.  Not
 * a relay, but the same system calls as one that does nothing else.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX	65536
#define MESSAGE_MAX	60000
#define EVENTS_MAX	512

static int	clients[CLIENTS_MAX];
static int	nclients;
static int	sndbuf = 16384;
static long dropped;

static void
__attribute__((noreturn))
die(const char *what)
{
	fprintf(stderr, "sendloop: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int
open_socket(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t	len = sizeof(address);
	int			fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *) &address, len) != 0 || listen(fd, 4096) != 0 ||
		getsockname(fd, (struct sockaddr *) &address, &len) != 0)
		die("cannot listen");
	printf("%d\n", ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}

static void
watch(int epoll, int fd)
{
	struct epoll_event event = {.events = EPOLLIN,.data.fd = fd};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
		die("epoll_ctl");
}

/* The socket options are the bridge's. */
static void
accept_all(int epoll, int listener)
{
	int			fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
	{
		int			on = 1;

		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf));
		watch(epoll, fd);
	}
	if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
		die("accept");
}

/* The client's request is taken to come in one piece, as it does on loopback. */
static void
shake_hands(int epoll, int fd, char *request)
{
	static const char name[] = "Sec-WebSocket-Key: ";
	static const char magic[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	char	   *key = strcasestr(request, name);
	char text[	256];
	unsigned char digest[SHA_DIGEST_LENGTH];
	unsigned char accept[64];
	int			len;

	if (key == NULL || nclients == CLIENTS_MAX)
	{
		close(fd);
		return;
	}
	key += sizeof(name) - 1;
	len = snprintf(text, sizeof(text), "%.*s%s", (int) strcspn(key, " \r\n"), key, magic);
	SHA1((unsigned char *) text, (size_t) len, digest);
	EVP_EncodeBlock(accept, digest, sizeof(digest));
	len = snprintf(text, sizeof(text), "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
				   "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept);
	if (send(fd, text, (size_t) len, MSG_NOSIGNAL) != len)
		die("send");
	epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
	clients[nclients++] = fd;
}

static void
take_request(int epoll, int fd)
{
	char		request[8192];
	ssize_t		got = recv(fd, request, sizeof(request) - 1, 0);

	if (got <= 0)
	{
		close(fd);
		return;
	}
	request[got] = '\0';
	shake_hands(epoll, fd, request);
}

/* The message in "line", with the time where it has %t, as a frame. */
static size_t
make_frame(const char *line, char *frame)
{
	static char text[MESSAGE_MAX + 64];
	const char *mark = strstr(line, "%t");
	struct timespec now;
	size_t		len;
	size_t		at = 0;

	clock_gettime(CLOCK_REALTIME, &now);
	if (mark)
		len = (size_t) snprintf(text, sizeof(text), "%.*s%lld.%06ld%s", (int) (mark - line), line,
								(long long) now.tv_sec, now.tv_nsec / 1000, mark + 2);
	else
		len = (size_t) snprintf(text, sizeof(text), "%s", line);
	frame[at++] = (char) 0x81;
	if (len < 126)
		frame[at++] = (char) len;
	else
	{
		frame[at++] = 126;
		frame[at++] = (char) (len >> 8);
		frame[at++] = (char) len;
	}
	memcpy(frame + at, text, len);
	return at + len;
}

static void
send_to_all(const char *line)
{
	static char frame[MESSAGE_MAX + 128];
	size_t		len = make_frame(line, frame);

	for (int i = 0; i < nclients; i++)
		if (send(clients[i], frame, len, MSG_NOSIGNAL) != (ssize_t) len)
			dropped++;
}

/* False: stdin has ended. */
static bool
take_lines(void)
{
	static char lines[MESSAGE_MAX];
	static size_t len;
	ssize_t		got = read(STDIN_FILENO, lines + len, sizeof(lines) - 1 - len);
	char	   *end;

	if (got <= 0)
		return false;
	len += (size_t) got;
	lines[len] = '\0';
	while ((end = strchr(lines, '\n')) != NULL)
	{
		*end = '\0';
		send_to_all(lines);
		len -= (size_t) (end + 1 - lines);
		memmove(lines, end + 1, len + 1);
	}
	return true;
}

int
main(int argc, char **argv)
{
	struct rlimit limit;
	struct epoll_event events[EVENTS_MAX];
	int			epoll = epoll_create1(EPOLL_CLOEXEC);
	int			listener;

	if (argc > 1)
		sndbuf = atoi(argv[1]);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
	{
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	listener = open_socket();
	watch(epoll, listener);
	watch(epoll, STDIN_FILENO);
	for (;;)
	{
		int			count = epoll_wait(epoll, events, EVENTS_MAX, -1);

		for (int i = 0; i < count; i++)
		{
			int			fd = events[i].data.fd;

			if (fd == listener)
				accept_all(epoll, listener);
			else if (fd != STDIN_FILENO)
				take_request(epoll, fd);
			else if (!take_lines())
			{
				printf("%ld dropped\n", dropped);
				return 0;
			}
		}
	}
}
