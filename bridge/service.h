/*
 * service.h
 *		What a service manager hands over, and what it is told.
 */
#ifndef SERVICE_H
#define SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "mem.h"

struct service_sockets
{
	int			count;
	int			first_fd;
	char	  **names;			/* so many, and NULL */
};

bool		service_is_known(void);
struct service_sockets service_take_sockets(void) must_check;
void		service_drop_sockets(struct service_sockets *sockets);

void		service_ready(void);
void		service_reloading(void);
void		service_stopping(int64_t within_ms);
void		service_tell(const char *fmt,...) printf_like(1, 2);
void		service_tick(int64_t now_ms);

#endif							/* SERVICE_H */
