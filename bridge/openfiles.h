/*
 * openfiles.h
 *		How many files may be open, and so how many connections.
 */
#ifndef OPENFILES_H
#define OPENFILES_H

struct config;

void		openfiles_raise(struct config *config);
void		openfiles_bound(struct config *config);

#endif							/* OPENFILES_H */
