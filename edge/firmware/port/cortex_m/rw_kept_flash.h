/* Flash of an emulated board: memory that rw_nor holds to the rules, kept in a file of the emulator's working folder.
 *
 * It survives the end of the emulator as flash survives the loss of power. The emulator's argument `cut=N` lets the supply
 * fail in the N-th operation: the emulator then ends with RW_POWER_CUT, the file as the operation left it. An operation takes
 * no time.
 */
#ifndef RW_KEPT_FLASH_H
#define RW_KEPT_FLASH_H

#include "rw_nor.h"

#define RW_POWER_CUT 77u
#define RW_NAME_BYTES 33u

/* The emulator's argument `name=NAME`, or what the name is without one. */
void rw_emulated_name(char name[RW_NAME_BYTES], const char *otherwise);

struct rw_kept_flash {
    struct rw_nor nor; /* memory and flash are given by the port */
    int32_t file;
};

/* Opens the file and reads the memory from it; a file that is new or shorter leaves the rest erased. */
void rw_kept_flash_open(struct rw_kept_flash *kept);

enum rw_board_status rw_kept_flash_erase(void *kept, uint32_t sector);
enum rw_board_status rw_kept_flash_program(void *kept, uint32_t at, const uint8_t *from, size_t n);

#endif
