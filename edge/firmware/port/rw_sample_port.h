/* Samples that come in over a serial line, as an emulated board gets them; silicon has a converter in its place.
 *
 * Each sample is an int16, its low byte first, from -32767 to 32767. The word -32768 is no sample: the word behind it, as
 * unsigned, says how many samples are missing here. There is flow control: a port that answers false must not be offered
 * bytes until it resumes.
 */
#ifndef RW_SAMPLE_PORT_H
#define RW_SAMPLE_PORT_H

#include "rw_board.h"

struct rw_sample_port {
    const struct rw_sink *sink; /* NULL until the node samples */
    uint8_t low;                /* first byte of a word that has begun */
    bool half, escaped;
    bool held; /* the sink had no room for this sample */
    int16_t sample;
};

/* A byte came; false when no further one may be taken until rw_sample_port_resume is true. */
static inline bool rw_sample_port_byte(struct rw_sample_port *port, uint8_t byte)
{
    port->half = !port->half;
    if (port->half) {
        port->low = byte;
        return true;
    }
    const uint16_t word = (uint16_t)((uint32_t)byte << 8 | port->low);
    if (port->escaped) {
        port->escaped = false;
        port->sink->lost(port->sink->context, word);
        return true;
    }
    if (word == 0x8000u) {
        port->escaped = true;
        return true;
    }
    port->sample = (int16_t)word;
    port->held = port->sink->put(port->sink->context, &port->sample, 1) == 0;
    return !port->held;
}

/* Offers the held sample again; true if bytes may be taken. */
static inline bool rw_sample_port_resume(struct rw_sample_port *port)
{
    if (port->held) {
        port->held = port->sink->put(port->sink->context, &port->sample, 1) == 0;
    }
    return !port->held;
}

#endif
