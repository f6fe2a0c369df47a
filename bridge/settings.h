/*
 * settings.h
 *		The table of settings.
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stddef.h>

/* Room for all of them, where an array has to have a size. */
#define SETTINGS_MAX	64

enum setting_kind
{
	KIND_TEXT,
	KIND_LIST,					/* repeatable; in the environment by commas */
	KIND_INT,
	KIND_WORD					/* one of "words"; stored as its index */
};

enum setting_change
{
	SETTING_FIXED,				/* needs a restart */
	SETTING_LIVE				/* takes effect when the file is read again */
};

struct setting
{
	const char *key;
	enum setting_kind kind;
	size_t		offset;
	const char *preset;
	const char *words;			/* KIND_WORD, separated by blanks */
	int			min;			/* KIND_INT */
	int			max;
	const char *value_name;
	const char *help;
	enum setting_change change;
};

extern const struct setting settings[];
extern const int settings_count;

#endif							/* SETTINGS_H */
