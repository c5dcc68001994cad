/* A flash in memory that obeys the rules of one, and whose power fails at a step of the test's choosing.
 *
 * A step is the erasure of one sector or the writing of one unit. The one at which power fails is done by half: of a
 * unit, some bits of those to be cleared are; of a sector, everything may be left as any bits, or all as erased. Then
 * stop is called, which must not return. Ended with a message is the program that writes a unit which was not erased,
 * writes into a sector whose erasure was cut, or steps outside an area.
 */
#ifndef FLASH_SIMULATOR_H
#define FLASH_SIMULATOR_H

#include "rw_flash.h"

#define SIMULATOR_NO_CUT UINT64_MAX

struct flash_simulator {
    struct rw_flash flash; /* whose context is this */
    uint8_t *bytes;
    uint8_t *was;     /* bytes before the step that was cut */
    bool *written;    /* of each unit, since it was erased; a unit that was cut too */
    bool *half_erased; /* of each sector of the smallest kind */
    uint32_t size;
    uint32_t smallest_sector;
    uint64_t steps;      /* taken so far */
    uint64_t cut_at;     /* the step at which power fails */
    uint64_t fails_at;   /* the step that the hardware reports as failed, and leaves undone */
    bool unstable;       /* what was cut reads otherwise after every start, until it is erased or written */
    uint32_t cut_offset; /* where power failed last */
    uint32_t cut_bytes;  /* 0: nowhere, or it was made good since */
    bool cut_erased;
    uint8_t cut_target[RW_FLASH_UNIT_MAX];
    uint64_t random;
    void (*stop)(void);
};

/* The geometry is of slots from offset `first` on, one behind the other, then the records. */
void flash_simulator_make(struct flash_simulator *s, uint32_t unit, uint32_t sector, uint32_t slot_bytes,
                          bool rewritable, uint8_t erased_byte);
void flash_simulator_free(struct flash_simulator *s);

/* As erased in a factory; power holds. */
void flash_simulator_clear(struct flash_simulator *s);

/* Power comes back. */
void flash_simulator_start(struct flash_simulator *s);

#endif
