/* The flash that slots and records lie in, as a board offers it; offsets are of the board's choosing.
 *
 * Slots must lie in the address space: a model runs from where it is stored. An area is a run of equal sectors.
 */
#ifndef RW_FLASH_H
#define RW_FLASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RW_SLOTS 2u
#define RW_RECORDS 2u
#define RW_FLASH_UNIT_MAX 64u

struct rw_flash_area {
    uint32_t offset; /* a multiple of 8 and of the unit, as are the others */
    uint32_t bytes;
    uint32_t sector_bytes;
};

struct rw_flash {
    void *context;
    const uint8_t *mapped; /* where offset 0 lies in the address space */
    /* One sector; false where the hardware failed. */
    bool (*erase)(void *context, uint32_t offset);
    /* n is a multiple of the unit; each unit is written once after it was erased, but for the flag below. */
    bool (*write)(void *context, uint32_t offset, const uint8_t *bytes, size_t n);
    bool (*read)(void *context, uint32_t offset, uint8_t *bytes, size_t n);
    struct rw_flash_area slots[RW_SLOTS];
    struct rw_flash_area records[RW_RECORDS]; /* of each, the first sector is used */
    uint8_t unit_bytes;  /* a power of two up to RW_FLASH_UNIT_MAX */
    uint8_t erased_byte; /* 0xFF as a rule */
    bool rewritable;     /* a unit that a power cut left half written may be written again with the same bytes */
};

/* Whether areas are whole sectors of whole units, lie apart, and are mapped. */
bool rw_flash_is_sound(const struct rw_flash *flash);

#endif
