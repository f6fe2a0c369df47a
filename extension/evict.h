/*
 * evict.h
 *		Workers make way for what a database's owner does to it.
 */
#ifndef SP_EVICT_H
#define SP_EVICT_H

extern void sp_evict_init(void);

#endif							/* SP_EVICT_H */
