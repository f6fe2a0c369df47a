/*
 * reload.h
 *		The settings, read again while the bridge runs.
 */
#ifndef RELOAD_H
#define RELOAD_H

struct boot;
struct bridge;

void		reload_settings(struct boot *boot);
void		reload(struct bridge *bridge, struct boot *boot);

#endif							/* RELOAD_H */
