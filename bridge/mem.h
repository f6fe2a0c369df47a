/*
 * mem.h
 *		Allocation that does not fail, and memory that is fetched ahead.
 */
#ifndef MEM_H
#define MEM_H

#include <stddef.h>

#define must_check		__attribute__((warn_unused_result))
#define printf_like(f, a)	__attribute__((format(printf, f, a)))

void	   *mem_alloc(size_t size) must_check;
void	   *mem_zalloc(size_t size) must_check;
void	   *mem_grow(void *old, size_t size) must_check;
char	   *mem_strdup(const char *text) must_check;
char	   *mem_strndup(const char *text, size_t len) must_check;

/* Begin to bring this into the processor's caches; any address will do. */
static inline void
mem_fetch(const void *from, size_t bytes)
{
	for (size_t at = 0; at < bytes; at += 64)
		__builtin_prefetch((const char *) from + at);
}

#endif							/* MEM_H */
