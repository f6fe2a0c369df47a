/*
 * top.h
 *		The few greatest of many.
 */
#ifndef TOP_H
#define TOP_H

#define TOP_ITEMS		10
#define TOP_NAME_BYTES	112

struct top_item
{
	char		name[TOP_NAME_BYTES];	/* cut, if it is longer */
	double		watchers;
	double		rate;			/* messages a second */
};

/* Zeroed: empty.  The greatest comes first. */
struct top
{
	int			count;
	struct top_item items[TOP_ITEMS];
};

enum top_by
{
	TOP_BY_WATCHERS,
	TOP_BY_RATE
};

void		top_offer(struct top *top, enum top_by by, const char *name, double watchers,
					  double rate);
void		top_merge(struct top *top, enum top_by by, const struct top *from);

#endif							/* TOP_H */
