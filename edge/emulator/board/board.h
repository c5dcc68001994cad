/* What the emulated board mps2-an386 offers to a program: its memory and the statuses with which it ends. */
#ifndef RW_BOARD_H
#define RW_BOARD_H

#include <stdint.h>

/* Exit status of the emulator after a fault; programs take others. */
#define RW_BOARD_FAULT 99u

/* Of the linker script: the lowest word of the stack, and the 16 MB of memory that the emulator fills from a file. */
extern uint32_t rw_board_stack_bottom[];
extern const uint8_t rw_board_psram[];

#endif
