/*
 * intern.h
 *		Equal texts are one object.
 */
#ifndef INTERN_H
#define INTERN_H

#include <stddef.h>

#include "mem.h"

struct intern;

struct istr
{
	struct intern *home;
	unsigned	refs;
	size_t		len;
	const char *bytes;			/* NUL-terminated */
};

struct intern *intern_create(void) must_check;
void		intern_free(struct intern *intern);
struct istr *intern_get(struct intern *intern, const char *bytes, size_t len)
			must_check;
struct istr *intern_find(struct intern *intern, const char *bytes, size_t len);
struct istr *intern_hold(struct istr *str);
void		intern_drop(struct istr *str);

#endif							/* INTERN_H */
