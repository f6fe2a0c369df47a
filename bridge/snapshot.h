/*
 * snapshot.h
 *		The state of a stream, once.
 */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

struct request;

int			serve_snapshot(struct request *request);

#endif							/* SNAPSHOT_H */
