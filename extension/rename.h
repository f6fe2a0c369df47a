/*
 * rename.h
 *		A column that a tracked table's mapping names keeps its name.
 */
#ifndef SP_RENAME_H
#define SP_RENAME_H

extern void sp_rename_init(void);

#endif							/* SP_RENAME_H */
