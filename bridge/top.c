/*
 * top.c
 *		The few greatest of many.
 *
 * Each one is offered, and stays if it is greater than the least that is there.
 * What several workers have is added up by name.  One that is great only in the
 * sum, and in none of them among the greatest, is missed: this is for looking at.
 */
#include "top.h"

#include <stdio.h>
#include <string.h>

static double
value_of(const struct top_item *item, enum top_by by)
{
	return by == TOP_BY_WATCHERS ? item->watchers : item->rate;
}

/* The item at "at" has become greater: where does it belong? */
static void
move_up(struct top *top, enum top_by by, int at)
{
	struct top_item item = top->items[at];

	for (; at > 0 && value_of(&item, by) > value_of(&top->items[at - 1], by); at--)
		top->items[at] = top->items[at - 1];
	top->items[at] = item;
}

/* As much of it as there is room for, and no half of a character at its end. */
static void
copy_name(char *to, const char *from)
{
	size_t		len = strnlen(from, TOP_NAME_BYTES);

	if (len == TOP_NAME_BYTES)
		for (len--; len > 0 && ((unsigned char) from[len] & 0xc0) == 0x80;)
			len--;
	memcpy(to, from, len);
	to[len] = '\0';
}

/* What is nothing is not kept. */
void
top_offer(struct top *top, enum top_by by, const char *name, double watchers, double rate)
{
	double		value = by == TOP_BY_WATCHERS ? watchers : rate;
	struct top_item *item;

	if (value <= 0 || (top->count == TOP_ITEMS && value <= value_of(&top->items[TOP_ITEMS - 1], by)))
		return;
	if (top->count < TOP_ITEMS)
		top->count++;
	item = &top->items[top->count - 1];
	copy_name(item->name, name);
	item->watchers = watchers;
	item->rate = rate;
	move_up(top, by, top->count - 1);
}

void
top_merge(struct top *top, enum top_by by, const struct top *from)
{
	for (int i = 0; i < from->count && i < TOP_ITEMS; i++)
	{
		const struct top_item *item = &from->items[i];
		int			at = 0;

		while (at < top->count && strcmp(top->items[at].name, item->name) != 0)
			at++;
		if (at == top->count)
			top_offer(top, by, item->name, item->watchers, item->rate);
		else
		{
			top->items[at].watchers += item->watchers;
			top->items[at].rate += item->rate;
			move_up(top, by, at);
		}
	}
}
