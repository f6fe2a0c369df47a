/*
 * process.h
 *		What the worker processes use of the machine.
 */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdint.h>

#include "buf.h"

void		processes_open(void);
void		process_attach(void);
void		process_gone(int worker, int64_t cpu_us);
void		processes_write(struct buf *out);

#endif							/* PROCESS_H */
