/* Where a transfer goes on after a power cut is read off the slot itself: behind the last byte that is not as erased.
 *
 * Of the unit and of the sector there, nothing is sure: the unit may be half written, the sector half erased. Where a
 * unit may be written again, the transfer goes on with that unit. Elsewhere it goes on with that sector, and from then
 * on erases every sector before it writes there, since one that looks erased may be so by half only. Sectors are begun
 * in order, so that all below the last touched one are complete. Bytes at the end of what arrived that equal an erased
 * byte are sent again.
 */
#include "rw_transfer.h"

#include <string.h>

void rw_transfer_begin(struct rw_transfer *t, const struct rw_flash *flash, const struct rw_flash_area *slot,
                       uint32_t image_bytes)
{
    *t = (struct rw_transfer){.flash = flash, .slot = slot, .image_bytes = image_bytes};
}

void rw_transfer_resume(struct rw_transfer *t, const struct rw_flash *flash, const struct rw_flash_area *slot,
                        uint32_t image_bytes)
{
    const uint32_t step = flash->rewritable ? flash->unit_bytes : slot->sector_bytes;
    uint32_t touched = image_bytes;
    rw_transfer_begin(t, flash, slot, image_bytes);
    while (touched > 0 && flash->mapped[slot->offset + touched - 1u] == flash->erased_byte) {
        --touched;
    }
    t->flushed = touched == 0 ? 0 : (touched - 1u) / step * step;
    t->erases = !flash->rewritable;
}

uint32_t rw_transfer_received(const struct rw_transfer *t)
{
    return t->flushed + t->pending;
}

/* Whole units, within a sector. */
static bool put_within(struct rw_transfer *t, const uint8_t *bytes, uint32_t n)
{
    const struct rw_flash *const flash = t->flash;
    const uint32_t offset = t->slot->offset + t->flushed;
    if (t->erases && t->flushed % t->slot->sector_bytes == 0 && !flash->erase(flash->context, offset)) {
        return false;
    }
    if (!flash->write(flash->context, offset, bytes, n) || memcmp(flash->mapped + offset, bytes, n) != 0) {
        return false;
    }
    t->flushed += n;
    return true;
}

/* Whole units. */
static bool put(struct rw_transfer *t, const uint8_t *bytes, uint32_t n)
{
    while (n > 0) {
        const uint32_t room = t->slot->sector_bytes - t->flushed % t->slot->sector_bytes;
        const uint32_t piece = n < room ? n : room;
        if (!put_within(t, bytes, piece)) {
            return false;
        }
        bytes += piece;
        n -= piece;
    }
    return true;
}

/* Up to n bytes into the unit that fills up; how many. */
static uint32_t fill_unit(struct rw_transfer *t, const uint8_t *bytes, uint32_t n)
{
    const uint32_t room = t->flash->unit_bytes - t->pending;
    const uint32_t taken = n < room ? n : room;
    memcpy(t->unit + t->pending, bytes, taken);
    t->pending += taken;
    return taken;
}

/* The unit that filled up, or the last one with what is missing as erased. */
static bool put_unit(struct rw_transfer *t)
{
    const uint32_t missing = t->flash->unit_bytes - t->pending;
    memset(t->unit + t->pending, t->flash->erased_byte, missing);
    t->pending = 0;
    if (!put(t, t->unit, t->flash->unit_bytes)) {
        return false;
    }
    t->flushed -= missing;
    return true;
}

bool rw_transfer_take(struct rw_transfer *t, const uint8_t *bytes, uint32_t n)
{
    const uint32_t unit = t->flash->unit_bytes;
    while (n > 0) {
        const bool straight = t->pending == 0 && n >= unit;
        const uint32_t taken = straight ? n - n % unit : fill_unit(t, bytes, n);
        if (straight && !put(t, bytes, taken)) {
            return false;
        }
        const bool due = t->pending == unit || (t->pending > 0 && rw_transfer_received(t) == t->image_bytes);
        if (due && !put_unit(t)) {
            return false;
        }
        bytes += taken;
        n -= taken;
    }
    return true;
}
