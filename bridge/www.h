/*
 * www.h
 *		Static files.
 */
#ifndef WWW_H
#define WWW_H

#include <stdbool.h>

#include "msg.h"

struct www;

struct www_file
{
	const char *type;
	const char *etag;			/* valid until the next www_get() */
	struct msg *body;			/* held for the caller */
	struct msg *packed;			/* likewise; NULL: not worth it */
	bool		is_html;
};

const char *www_check(const char *dir);
struct www *www_open(const char *dir, const char **error) must_check;
void		www_close(struct www *www);
void		www_file_drop(struct www_file *file);
bool		www_get(struct www *www, const char *path, struct www_file *file) must_check;

#endif							/* WWW_H */
