/*
 * fuzz.h
 *		What the targets share.
 *
 * A target is a program that libFuzzer gives random bytes to, a hundred
 * thousand times a second if it can.  It ends with SIGABRT when something is not
 * as it must be, and the sanitizers end it when it touches what is not its own.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int			LLVMFuzzerInitialize(int *argc, char ***argv);

/* Not assert(), which can be compiled away. */
#define must_hold(condition) \
	do { \
		if (!(condition)) \
		{ \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

/* The bytes, with a NUL behind them, in memory of exactly that size. */
static inline char *
fuzz_text(const uint8_t *data, size_t size)
{
	char	   *copy = malloc(size + 1);

	must_hold(copy);
	memcpy(copy, data, size);
	copy[size] = '\0';
	return copy;
}

/* Bytes that are taken from the front, as what decides what happens next. */
struct fuzz_input
{
	const uint8_t *next;
	size_t		left;
};

static inline uint8_t
fuzz_byte(struct fuzz_input *input)
{
	if (input->left == 0)
		return 0;
	input->left--;
	return *input->next++;
}

/* As many bytes as the next two say, in memory of their own. */
static inline char *
fuzz_chunk(struct fuzz_input *input, size_t *len)
{
	size_t		wanted = (size_t) fuzz_byte(input) << 8;
	char	   *text;

	wanted |= fuzz_byte(input);
	*len = wanted < input->left ? wanted : input->left;
	text = fuzz_text(input->next, *len);

	input->next += *len;
	input->left -= *len;
	return text;
}

#endif							/* FUZZ_H */
