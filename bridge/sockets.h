/*
 * sockets.h
 *		The sockets that are listened on.
 */
#ifndef SOCKETS_H
#define SOCKETS_H

#include <stdbool.h>

#include "config.h"

#define SOCKETS_MAX		16
#define SOCKETS_BACKLOG	4096

struct socket
{
	int			fd;
	bool		is_admin;
	bool		is_passed;		/* by a service manager */
};

struct sockets
{
	int			count;
	struct socket items[SOCKETS_MAX];
};

void		sockets_open(struct sockets *sockets, const struct config *config);
void		sockets_close(struct sockets *sockets);
void		sockets_announce(const struct sockets *sockets);
const char *sockets_check(const struct config *config, bool may_resolve) must_check;

#endif							/* SOCKETS_H */
