/* What a board says of its flash, checked once before anything is erased. */
#include "rw_flash.h"

#define ALIGNMENT 8u /* of models */

static bool area_is_sound(const struct rw_flash_area *area, uint32_t unit)
{
    return area->sector_bytes >= RW_FLASH_UNIT_MAX && area->bytes >= area->sector_bytes &&
           area->bytes % area->sector_bytes == 0 && area->sector_bytes % unit == 0 && area->offset % unit == 0 &&
           area->offset % ALIGNMENT == 0 && area->offset <= UINT32_MAX - area->bytes;
}

static bool overlap(const struct rw_flash_area *a, const struct rw_flash_area *b)
{
    return a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

static const struct rw_flash_area *area_of(const struct rw_flash *flash, size_t i)
{
    return i < RW_SLOTS ? &flash->slots[i] : &flash->records[i - RW_SLOTS];
}

bool rw_flash_is_sound(const struct rw_flash *flash)
{
    const uint32_t unit = flash->unit_bytes;
    bool sound = flash->mapped != NULL && (uintptr_t)flash->mapped % ALIGNMENT == 0 && unit > 0 &&
                 unit <= RW_FLASH_UNIT_MAX && (unit & (unit - 1u)) == 0 && flash->erase != NULL &&
                 flash->write != NULL && flash->read != NULL;
    for (size_t i = 0; i < RW_SLOTS + RW_RECORDS && sound; ++i) {
        sound = area_is_sound(area_of(flash, i), unit);
        for (size_t j = 0; j < i && sound; ++j) {
            sound = !overlap(area_of(flash, i), area_of(flash, j));
        }
    }
    return sound;
}
