/* Writes down every report that a node on the host makes, before anything can happen to it.
 *
 * It stands between rw_node.c and rw_outbox.c: where the former is compiled with rw_outbox_report=rw_tally_report, each
 * report goes through here. The file that RW_TALLY names in the environment takes 16 bytes for each, little-endian: its
 * number and how many reports the node has given up for want of room so far (32 bits each), and the nanoseconds since the
 * epoch (64 bits). What a node is said to have made does so not depend on what arrives.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "rw_outbox.h"

struct tallied {
    uint32_t number, given_up;
    uint64_t time_ns;
};

_Static_assert(sizeof(struct tallied) == 16, "without padding");

void rw_tally_report(struct rw_outbox *outbox, const struct rw_report *report);

static int tally_file(void)
{
    static int file = -1;

    if (file < 0) {
        const char *path = getenv("RW_TALLY");
        file = path == NULL ? -1 : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (file < 0) {
            abort(); /* a node whose reports are not counted is of no use here */
        }
    }
    return file;
}

void rw_tally_report(struct rw_outbox *outbox, const struct rw_report *report)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    rw_outbox_report(outbox, report);
    const struct tallied one = {report->number, outbox->dropped,
                                (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec};
    if (write(tally_file(), &one, sizeof one) != (ssize_t)sizeof one) {
        abort();
    }
}
