/* Why an update was refused or a model given up: codes that are kept in flash and sent to the host, with their
 * words. */
#ifndef RW_UPDATE_STATUS_H
#define RW_UPDATE_STATUS_H

#include <stdint.h>

/* Name, code, words. A code never changes its meaning; new ones are added behind. */
#define RW_UPDATE_STATUSES(X)                                                                                          \
    X(OK, 0, "done")                                                                                                   \
    X(CONFIGURATION, 1, "the geometry of the flash or a setting of the update is not admissible")                      \
    X(FLASH, 2, "the flash did not erase, take or return what it should")                                              \
    X(BUSY, 3, "a model is on trial; it must be confirmed or aborted first")                                           \
    X(NOT_BEGUN, 4, "nothing of this kind was begun")                                                                  \
    X(OFFSET, 5, "the bytes do not follow those that are there")                                                       \
    X(TOO_LARGE, 6, "the image is larger than a slot")                                                                 \
    X(TRUNCATED, 7, "the image is shorter or longer than it says")                                                     \
    X(INCOMPLETE, 8, "bytes of the image are still missing")                                                           \
    X(SIGNATURE, 9, "no key of this node has signed the manifest")                                                     \
    X(MANIFEST, 10, "the manifest is not of the form that this firmware knows")                                        \
    X(DIGEST, 11, "the bytes of the model are not those that were signed")                                             \
    X(VERSION, 12, "the version is not above the highest one ever confirmed here")                                     \
    X(CONTRACT, 13, "the model wants features of another contract than this firmware computes")                       \
    X(OPERATOR, 14, "the model needs an operator that this firmware has not")                                          \
    X(MEMORY, 15, "the model needs more memory than this firmware gives")                                              \
    X(GOLDEN, 16, "the model does not give its golden output for its golden window")                                   \
    X(UNCONFIRMED, 17, "the model was not confirmed within its boots on trial")                                        \
    X(ABORTED, 18, "the update was aborted")                                                                           \
    X(UNHEALTHY, 19, "the node was not healthy with the model")                                                        \
    X(NO_MODEL, 20, "no slot holds a model that may run")

enum rw_update_status {
#define X(name, code, words) RW_UPDATE_##name = (code),
    RW_UPDATE_STATUSES(X)
#undef X
};

/* In English; of a code that is none, that it is unknown. */
const char *rw_update_words(enum rw_update_status status);

#endif
