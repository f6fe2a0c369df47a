/*
 * page.h
 *		The dashboard's files, within the program.
 */
#ifndef PAGE_H
#define PAGE_H

#include "msg.h"

struct page_file
{
	const char *path;			/* as it is asked for */
	const char *type;
	const char *etag;
	struct msg *body;
	struct msg *packed;			/* compressed */
};

/* NULL: there is no such file. */
const struct page_file *page_get(const char *path);

#endif							/* PAGE_H */
