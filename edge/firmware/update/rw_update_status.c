/* The words of the codes. */
#include "rw_update_status.h"

const char *rw_update_words(enum rw_update_status status)
{
    switch (status) {
#define X(name, code, words)                                                                                           \
    case RW_UPDATE_##name:                                                                                             \
        return words;
        RW_UPDATE_STATUSES(X)
#undef X
    }
    return "unknown";
}
