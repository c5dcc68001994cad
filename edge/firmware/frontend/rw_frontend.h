/* The features of a window of samples, in the order and by the definitions of the feature contract's node profile.
 *
 * Three calls: how many bytes for a configuration, init in the caller's memory, extract for each window. What is
 * returned below 0 is a refusal and leaves features as they are; extract's other results say which features are there.
 */
#ifndef RW_FRONTEND_H
#define RW_FRONTEND_H

#include <stddef.h>
#include <stdint.h>

#include "rw_bearing.h"
#include "rw_feature_contract.h"

/* X(identifier, value, meaning) */
#define RW_FRONTEND_STATUSES(X)                                                                                        \
    X(OK, 0, "all features are there")                                                                                 \
    X(NO_SPEED, 1, "orders and bearing lines are 0: the shaft speed is not known")                                     \
    X(NO_BEARING, 2, "bearing lines are 0: the bearing is not known")                                                  \
    X(BAD_LENGTH, -1, "windows are not a power of two from 256 to 4096 samples")                                       \
    X(BAD_RATE, -2, "the sampling rate is not 1 Hz to 1 MHz")                                                          \
    X(BAD_SCALE, -3, "the scale is not 1e-9 to 1e4 units a step")                                                      \
    X(BAD_UNIT, -4, "the unit is none of enum rw_unit")                                                                \
    X(BAD_BEARING, -5, "fault orders are neither all 0 nor all above 0 and at most 1000")                              \
    X(BAD_MEMORY, -6, "the memory is too small or not aligned to 8 bytes")                                             \
    X(BAD_SPEED, -7, "the shaft speed is not 0 to 1 MHz")

#define RW_FRONTEND_ENTRY(identifier, value, meaning) RW_FRONTEND_##identifier = (value),
enum rw_frontend_status { RW_FRONTEND_STATUSES(RW_FRONTEND_ENTRY) };
#undef RW_FRONTEND_ENTRY

enum rw_unit {
    RW_UNIT_G = 0,
    RW_UNIT_M_S2 = 1,
    RW_UNIT_MM_S = 2,
};

struct rw_frontend_config {
    float rate_hz;
    float scale;                    /* unit per step of int16 */
    uint32_t n;                     /* samples of a window: a power of two */
    uint32_t unit;                  /* enum rw_unit */
    struct rw_fault_orders bearing; /* all 0: not known */
};

struct rw_frontend;

/* Bytes for windows of n samples, to lay memory out before anything runs. */
#define RW_FRONTEND_BYTES(n) (56u + (n) / 16u * 15u * 8u)

/* Bytes of memory that init wants; 0 if the configuration is refused. */
size_t rw_frontend_bytes(const struct rw_frontend_config *config);

/* Sets a front end up in memory aligned to 8 bytes, which it keeps; the configuration is copied. */
enum rw_frontend_status rw_frontend_init(void *memory, size_t bytes, const struct rw_frontend_config *config,
                                         struct rw_frontend **out);

/* Writes RW_N_FEATURES finite numbers. shaft_hz: 0 where the speed is not known. */
enum rw_frontend_status rw_frontend_extract(struct rw_frontend *f, const int16_t *window, float shaft_hz,
                                            float *features);

#endif
