/*
 * clients.h
 *		All who are connected, whatever they speak.
 */
#ifndef CLIENTS_H
#define CLIENTS_H

#include <stdbool.h>

struct bridge;

void		clients_disconnect(struct bridge *bridge, const char *subject, bool reconnect);

#endif							/* CLIENTS_H */
