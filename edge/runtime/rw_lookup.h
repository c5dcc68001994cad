/* A function of one int8, as a table of its 256 values. */
#ifndef RW_LOOKUP_H
#define RW_LOOKUP_H

#include <stddef.h>
#include <stdint.h>

/* table: by the input's byte, 0 to 127 and then -128 to -1; in and out may be the same. */
void rw_lookup(const int8_t *table, const int8_t *in, int8_t *out, size_t n);

#endif
