/*
 * config_change.c
 *		What differs between two configurations.
 */
#include "config.h"

#include <string.h>

#include "settings.h"

static const void *
value_of(const struct config *config, int setting)
{
	return (const char *) config + settings[setting].offset;
}

static bool
lists_differ(const struct config_list *list, const struct config_list *other)
{
	if (list->count != other->count)
		return true;
	for (int i = 0; i < list->count; i++)
		if (strcmp(list->items[i], other->items[i]) != 0)
			return true;
	return false;
}

bool
config_differs(const struct config *config, const struct config *other, int setting)
{
	const void *value = value_of(config, setting);
	const void *its = value_of(other, setting);

	switch (settings[setting].kind)
	{
		case KIND_TEXT:
			return strcmp(*(char *const *) value, *(char *const *) its) != 0;
		case KIND_LIST:
			return lists_differ(value, its);
		case KIND_INT:
		case KIND_WORD:
			break;
	}
	return *(const int *) value != *(const int *) its;
}

static size_t
size_of(enum setting_kind kind)
{
	return kind == KIND_TEXT ? sizeof(char *) :
		kind == KIND_LIST ? sizeof(struct config_list) : sizeof(int);
}

/* Each has the other's value of this setting from now on. */
void
config_swap(struct config *config, struct config *other, int setting)
{
	void	   *value = (char *) config + settings[setting].offset;
	void	   *its = (char *) other + settings[setting].offset;
	size_t		size = size_of(settings[setting].kind);
	char		was[sizeof(struct config_list)];

	memcpy(was, value, size);
	memcpy(value, its, size);
	memcpy(its, was, size);
}
