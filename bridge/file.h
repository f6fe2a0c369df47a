/*
 * file.h
 *		A file that can be read at once, and to its end.
 */
#ifndef FILE_H
#define FILE_H

#include <stdio.h>

const char *file_open(const char *path, FILE **file);
const char *file_problem(const char *path);

#endif							/* FILE_H */
