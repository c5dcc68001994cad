/* What a node asks of a board: time, sleep, samples, a serial line, flash, a watchdog and how it came to be reset.
 *
 * The node sees one constant struct of functions, each called with the board's context; registers appear only below the
 * folder of a port. All functions but those of the sink are called from the node's loop, none of them waits; the sink is
 * called by the board, from an interrupt. docs/NODE.md says how a board is added.
 */
#ifndef RW_BOARD_H
#define RW_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum rw_board_status {
    RW_BOARD_OK = 0,
    RW_BOARD_REFUSED = -1, /* outside of the flash, or not in whole sectors or units */
    RW_BOARD_FAILED = -2,  /* the flash does not hold what it was to hold */
};

/* Why the processor started. The numbers go over the link. */
enum rw_reset {
    RW_RESET_POWER = 0,
    RW_RESET_PIN = 1,
    RW_RESET_WATCHDOG = 2,
    RW_RESET_REQUESTED = 3,
    RW_RESET_FAULT = 4,
    RW_RESET_BROWN_OUT = 5,
};

/* Where samples go, from an interrupt. */
struct rw_sink {
    void *context;
    /* Takes n samples in order and returns how many it took; it takes fewer only when it has no room left. A board that
     * can wait offers the rest again when it is told to resume; one whose converter runs on reports the rest as lost. */
    size_t (*put)(void *context, const int16_t *samples, size_t n);
    /* n samples are missing between the last one and the next. */
    void (*lost)(void *context, uint32_t n);
};

/* Memory that keeps what is written without power: sectors are erased to 0xFF, units are then written once each. */
struct rw_board_flash {
    const uint8_t *base; /* where it is read in place */
    uint32_t bytes;
    uint32_t sector_bytes;
    uint32_t unit_bytes;
};

struct rw_board {
    void *context;
    const char *name; /* of this one board among others: UTF-8 of 1 to 32 bytes, such as the number of its chip */
    struct rw_board_flash flash;
    /* Milliseconds since some moment, modulo 2^32. */
    uint32_t (*now_ms)(void *context);
    /* Returns at the next interrupt of line or samples, at once if there was one since the last call, or after ms. */
    void (*sleep)(void *context, uint32_t ms);
    /* Samples go to the sink from now on; it must stay where it is. */
    void (*sample)(void *context, const struct rw_sink *sink);
    /* The sink has room again. */
    void (*resume)(void *context);
    /* Both return how many bytes were moved, from 0 to n. */
    size_t (*receive)(void *context, uint8_t *to, size_t n);
    size_t (*send)(void *context, const uint8_t *from, size_t n);
    /* Positions are bytes from the base of the flash. */
    enum rw_board_status (*erase)(void *context, uint32_t sector);
    enum rw_board_status (*program)(void *context, uint32_t at, const uint8_t *from, size_t n);
    /* The loop is alive; without this the board resets itself within seconds. */
    void (*kick)(void *context);
    enum rw_reset (*reset_reason)(void *context);
    /* The supply is below what flash may be written at. */
    bool (*supply_low)(void *context);
    void (*reset)(void *context); /* does not return on a processor; the port of the host returns */
};

/* What a firmware does on any board: its whole work; a port calls it once, after everything is set up. */
int rw_program(const struct rw_board *board);

#endif
