/*
 * dashboard_json.h
 *		What the dashboard shows, as JSON.
 */
#ifndef DASHBOARD_JSON_H
#define DASHBOARD_JSON_H

#include "buf.h"

struct bridge;

void		dashboard_json(const struct bridge *bridge, struct buf *out);

#endif							/* DASHBOARD_JSON_H */
