/*
 * proc.h
 *		CPU time and memory of a process.
 */
#ifndef PROC_H
#define PROC_H

double		proc_cpu_s(int pid);
long		proc_rss_kb(int pid);

#endif							/* PROC_H */
