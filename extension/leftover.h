/*
 * leftover.h
 *		What was counted live and not written when the server stopped.
 */
#ifndef SP_LEFTOVER_H
#define SP_LEFTOVER_H

extern void sp_leftover_attach(bool found);
extern void sp_leftover_forget(void);

#endif							/* SP_LEFTOVER_H */
