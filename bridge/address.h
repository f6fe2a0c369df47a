/*
 * address.h
 *		Addresses of clients, and who a chain of proxies says that it serves.
 */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADDRESS_BYTES		16
#define ADDRESS_TEXT_MAX	48

struct sockaddr;

/* IPv4 is kept as IPv6 writes it, ::ffff:a.b.c.d. */
struct address
{
	uint8_t		bytes[ADDRESS_BYTES];
};

struct cidr
{
	struct address base;
	unsigned	bits;
};

struct cidrs
{
	struct cidr *items;
	int			count;
};

bool		address_parse(const char *text, size_t len, struct address *out);
void		address_of_socket(const struct sockaddr *socket, struct address *out);
void		address_format(const struct address *address, char *out, size_t size);
struct address address_network(const struct address *address);
bool		cidr_parse(const char *text, struct cidr *out);
bool		cidrs_hold(const struct cidrs *cidrs, const struct address *address);
struct address address_forwarded(const struct cidrs *proxies, const struct address *peer,
								 const char *forwarded);

#endif							/* ADDRESS_H */
