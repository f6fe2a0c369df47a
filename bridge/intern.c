/*
 * intern.c
 *		Equal texts are one object, so that comparing them is comparing pointers.
 *
 * Identifiers and claims are interned: ten thousand watchers of one run share
 * one copy, fall into one group, and are one question to the database after an
 * outage.  The table is libc's balanced tree: no hash that a stranger's choice
 * of names could make collide.
 */
#include "intern.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

struct intern
{
	void	   *root;
};

static int
istr_compare(const void *left, const void *right)
{
	const struct istr *a = left;
	const struct istr *b = right;

	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return memcmp(a->bytes, b->bytes, a->len);
}

struct intern *
intern_create(void)
{
	struct intern *intern = mem_zalloc(sizeof(*intern));

	return intern;
}

/* Everybody must have dropped what they held. */
void
intern_free(struct intern *intern)
{
	free(intern);
}

struct istr *
intern_find(struct intern *intern, const char *bytes, size_t len)
{
	struct istr key = {.len = len, .bytes = bytes};
	void	   *node = tfind(&key, &intern->root, istr_compare);

	return node ? *(struct istr **) node : NULL;
}

/*
 * The object for this text, held once more for the caller.
 */
struct istr *
intern_get(struct intern *intern, const char *bytes, size_t len)
{
	struct istr *str = intern_find(intern, bytes, len);
	char	   *copy;

	if (str)
		return intern_hold(str);

	str = mem_alloc(sizeof(*str) + len + 1);
	copy = (char *) (str + 1);
	memcpy(copy, bytes, len);
	copy[len] = '\0';
	str->home = intern;
	str->refs = 1;
	str->len = len;
	str->bytes = copy;
	if (tsearch(str, &intern->root, istr_compare) == NULL)
		abort();
	return str;
}

struct istr *
intern_hold(struct istr *str)
{
	if (str)
		str->refs++;
	return str;
}

void
intern_drop(struct istr *str)
{
	if (str == NULL || --str->refs > 0)
		return;
	tdelete(str, &str->home->root, istr_compare);
	free(str);
}
