/* Alarm with hysteresis: raised after several windows above the threshold, cleared after more well below it.
 *
 * The twin of models/alarm.py; ratio is a window's score over its threshold.
 */
#ifndef RW_ALARM_H
#define RW_ALARM_H

#include <stdbool.h>
#include <stdint.h>

struct rw_alarm_config {
    uint32_t raise_after; /* windows in a row with a ratio above 1 */
    uint32_t clear_after; /* windows in a row with a ratio below clear_ratio */
    float clear_ratio;
};

struct rw_alarm {
    bool active;
    uint32_t above, below;
};

enum rw_alarm_change { RW_ALARM_SAME = 0, RW_ALARM_RAISED = 1, RW_ALARM_CLEARED = 2 };

static inline enum rw_alarm_change rw_alarm_update(struct rw_alarm *alarm, const struct rw_alarm_config *config,
                                                   float ratio)
{
    alarm->above = ratio > 1.0f ? alarm->above + 1u : 0u;
    alarm->below = ratio < config->clear_ratio ? alarm->below + 1u : 0u;
    if (!alarm->active && alarm->above >= config->raise_after) {
        alarm->active = true;
        return RW_ALARM_RAISED;
    }
    if (alarm->active && alarm->below >= config->clear_after) {
        alarm->active = false;
        return RW_ALARM_CLEARED;
    }
    return RW_ALARM_SAME;
}

#endif
