/*
 * mem.c
 *		Allocation that does not fail.
 *
 * Every queue, table and buffer of the bridge has a bound, so running out of
 * memory means that the machine has none left for anybody.  There is nothing
 * to unwind to then: clients reconnect to a restarted bridge and lose nothing,
 * because the state is in the database.
 */
#include "mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
mem_check(void *ptr)
{
	if (ptr == NULL)
	{
		fputs("ERROR mem: out of memory\n", stderr);
		abort();
	}
	return ptr;
}

void *
mem_alloc(size_t size)
{
	return mem_check(malloc(size));
}

void *
mem_zalloc(size_t size)
{
	return mem_check(calloc(1, size));
}

void *
mem_grow(void *old, size_t size)
{
	return mem_check(realloc(old, size));
}

char *
mem_strdup(const char *text)
{
	return mem_check(strdup(text));
}

char *
mem_strndup(const char *text, size_t len)
{
	char	   *copy = mem_alloc(len + 1);

	memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}
