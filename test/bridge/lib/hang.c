/*
 * hang.c
 *		Preloaded: names that begin with "hangs" are never resolved, and whoever
 *		waits for one waits for ever.  Those that begin with "moves" have the
 *		address that is in the file $MOVES_TO by then.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
hangs(const char *name)
{
	return name && strncmp(name, "hangs", 5) == 0;
}

/* The name's address, good until a hundred more were asked for. */
static const char *
moved(const char *name)
{
	static char addresses[100][64];
	static int	next;
	char	   *address = addresses[next];
	FILE	   *file;

	if (name == NULL || strncmp(name, "moves", 5) != 0)
		return name;
	file = fopen(getenv("MOVES_TO"), "r");
	if (file == NULL || fscanf(file, "%63s", address) != 1)
		abort();
	fclose(file);
	next = (next + 1) % 100;
	return address;
}

int
getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
			struct addrinfo **result)
{
	int			(*real) (const char *, const char *, const struct addrinfo *,
						 struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");

	while (hangs(name))
		pause();
	return real(name, service, hints, result);
}

int
getaddrinfo_a(int mode, struct gaicb **list, int count, struct sigevent *event)
{
	int			(*real) (int, struct gaicb **, int, struct sigevent *) =
	dlsym(RTLD_NEXT, "getaddrinfo_a");
	struct gaicb *rest[count];
	int			rest_count = 0;

	for (int i = 0; i < count; i++)
	{
		list[i]->ar_name = moved(list[i]->ar_name);
		if (!hangs(list[i]->ar_name))
			rest[rest_count++] = list[i];
	}
	return rest_count > 0 ? real(mode, rest, rest_count, event) : 0;
}

int
gai_error(struct gaicb *request)
{
	int			(*real) (struct gaicb *) = dlsym(RTLD_NEXT, "gai_error");

	return hangs(request->ar_name) ? EAI_INPROGRESS : real(request);
}

int
gai_cancel(struct gaicb *request)
{
	int			(*real) (struct gaicb *) = dlsym(RTLD_NEXT, "gai_cancel");

	return hangs(request->ar_name) ? EAI_NOTCANCELED : real(request);
}
