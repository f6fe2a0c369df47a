/*
 * dashboard.h
 *		The operators' page, and what feeds it.
 */
#ifndef DASHBOARD_H
#define DASHBOARD_H

#include "mem.h"

struct bridge;
struct dashboards;
struct request;

struct dashboards *dashboards_create(struct bridge *bridge) must_check;
void		dashboards_free(struct dashboards *dashboards);
void		dashboards_second(struct dashboards *dashboards);
void		dashboards_tick(struct dashboards *dashboards);

int			dashboard_page(struct request *request);
int			dashboard_events(struct request *request);

#endif							/* DASHBOARD_H */
