/*
 * address.c
 *		Addresses of clients, and who a chain of proxies says that it serves.
 *
 * A proxy appends the address that it was called from to X-Forwarded-For.  What
 * stands left of that came with the request, and anybody can write it.  So the
 * list is read from the right, and only as far as those who wrote it are
 * trusted: the first address that is no trusted proxy's is the client's.
 *
 * Pure: texts and numbers only.
 */
#include "address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define V4_OFFSET	12
#define V4_BITS		96			/* what precedes an IPv4 address */

static const uint8_t v4_prefix[V4_OFFSET] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool
is_v4(const struct address *address)
{
	return memcmp(address->bytes, v4_prefix, V4_OFFSET) == 0;
}

static void
set_v4(struct address *out, const void *bytes)
{
	memcpy(out->bytes, v4_prefix, V4_OFFSET);
	memcpy(out->bytes + V4_OFFSET, bytes, 4);
}

/*
 * An address without a port.  False: it is none.
 */
static bool
parse_bare(const char *text, struct address *out)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (inet_pton(AF_INET, text, &v4) == 1)
	{
		set_v4(out, &v4);
		return true;
	}
	if (inet_pton(AF_INET6, text, &v6) != 1)
		return false;
	memcpy(out->bytes, &v6, ADDRESS_BYTES);
	return true;
}

/*
 * One entry of X-Forwarded-For: "192.0.2.1", "2001:db8::1", and as some proxies
 * write it "192.0.2.1:1234", "[2001:db8::1]", "[2001:db8::1]:1234".
 */
bool
address_parse(const char *text, size_t len, struct address *out)
{
	char		copy[ADDRESS_TEXT_MAX + 8];
	char	   *end;

	if (len == 0 || len >= sizeof(copy) || memchr(text, '\0', len))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (copy[0] == '[')
	{
		end = strchr(copy, ']');
		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return false;
		*end = '\0';
		return parse_bare(copy + 1, out);
	}
	end = strchr(copy, ':');
	if (end && strchr(end + 1, ':') == NULL)
		*end = '\0';
	return parse_bare(copy, out);
}

/* What is neither IPv4 nor IPv6 has the address "::". */
void
address_of_socket(const struct sockaddr *socket, struct address *out)
{
	memset(out, 0, sizeof(*out));
	if (socket->sa_family == AF_INET)
		set_v4(out, &((const struct sockaddr_in *) socket)->sin_addr);
	else if (socket->sa_family == AF_INET6)
		memcpy(out->bytes, &((const struct sockaddr_in6 *) socket)->sin6_addr, ADDRESS_BYTES);
}

void
address_format(const struct address *address, char *out, size_t size)
{
	const char *text = is_v4(address) ?
	inet_ntop(AF_INET, address->bytes + V4_OFFSET, out, (socklen_t) size) :
	inet_ntop(AF_INET6, address->bytes, out, (socklen_t) size);

	if (text == NULL && size > 0)
		out[0] = '\0';
}

/*
 * Whom to count: an IPv4 address, or the /64 that an IPv6 address is in, since
 * one household has all of that.
 */
struct address
address_network(const struct address *address)
{
	struct address network = *address;

	if (!is_v4(address))
		memset(network.bytes + 8, 0, 8);
	return network;
}

/* "10.0.0.0/8", "2001:db8::/32", or one address. */
bool
cidr_parse(const char *text, struct cidr *out)
{
	const char *slash = strchr(text, '/');
	size_t		len = slash ? (size_t) (slash - text) : strlen(text);
	char		copy[ADDRESS_TEXT_MAX];
	char	   *end;
	long		bits;
	long		most;

	if (len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (!parse_bare(copy, &out->base))
		return false;
	most = strchr(copy, ':') ? 128 : 32;
	bits = most;
	if (slash)
	{
		if (slash[1] < '0' || slash[1] > '9')
			return false;
		bits = strtol(slash + 1, &end, 10);
		if (*end != '\0' || bits > most)
			return false;
	}
	out->bits = (unsigned) bits + (most == 32 ? V4_BITS : 0);
	return true;
}

static bool
cidr_holds(const struct cidr *cidr, const struct address *address)
{
	unsigned	whole = cidr->bits / 8;
	unsigned	rest = cidr->bits % 8;
	uint8_t		mask = (uint8_t) (0xff00 >> rest);

	if (memcmp(cidr->base.bytes, address->bytes, whole) != 0)
		return false;
	return rest == 0 || ((cidr->base.bytes[whole] ^ address->bytes[whole]) & mask) == 0;
}

bool
cidrs_hold(const struct cidrs *cidrs, const struct address *address)
{
	for (int i = 0; i < cidrs->count; i++)
		if (cidr_holds(&cidrs->items[i], address))
			return true;
	return false;
}

/*
 * The client of a request that came from "peer" with this X-Forwarded-For.
 *
 * What cannot be read ends the walk: then it is the last proxy's that could be.
 * So is a list of proxies only, for then one of them asks for itself.
 */
struct address
address_forwarded(const struct cidrs *proxies, const struct address *peer,
				  const char *forwarded)
{
	struct address at = *peer;
	size_t		end = strlen(forwarded);

	while (end > 0 && cidrs_hold(proxies, &at))
	{
		size_t		start = end;
		size_t		from;
		size_t		to = end;

		while (start > 0 && forwarded[start - 1] != ',')
			start--;
		for (from = start; from < to && strchr(" \t", forwarded[from]); from++)
			;
		while (to > from && strchr(" \t", forwarded[to - 1]))
			to--;
		if (!address_parse(forwarded + from, to - from, &at))
			break;
		end = start > 0 ? start - 1 : 0;
	}
	return at;
}
