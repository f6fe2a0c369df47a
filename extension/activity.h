/*
 * activity.h
 *		What the worker does, as pg_stat_activity says it.
 */
#ifndef SP_ACTIVITY_H
#define SP_ACTIVITY_H

extern void sp_activity_folding(int sessions, int rows);
extern void sp_activity_sending(int messages);
extern void sp_activity_waiting(void);

#endif							/* SP_ACTIVITY_H */
