/* Pieces of 255 have no zero behind them; neither has the last one. When byte i is written, at place
 * 1 + i + i / 254 at most, it has been read: so the input may lie ahead in the same memory. Source: see the header. */
#include "rw_cobs.h"

#include <string.h>

#define LONGEST 255u

size_t rw_cobs_encode(const uint8_t *in, size_t n, uint8_t *out)
{
    size_t lead = 0, at = 1;
    for (size_t i = 0; i < n; ++i) {
        if (in[i] != 0) {
            out[at++] = in[i];
        }
        if (in[i] == 0 || (at - lead == LONGEST && i + 1 < n)) {
            out[lead] = (uint8_t)(at - lead);
            lead = at++;
        }
    }
    out[lead] = (uint8_t)(at - lead);
    return at;
}

bool rw_cobs_decode(uint8_t *data, size_t n, size_t *decoded)
{
    size_t from = 0, to = 0;
    if (n == 0 || memchr(data, 0, n) != NULL) {
        return false;
    }
    while (from < n) {
        const size_t piece = data[from];
        if (piece > n - from) {
            return false;
        }
        memmove(data + to, data + from + 1, piece - 1);
        to += piece - 1;
        from += piece;
        if (piece < LONGEST && from < n) {
            data[to++] = 0;
        }
    }
    *decoded = to;
    return true;
}
