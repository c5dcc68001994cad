/* The networks that are built into a firmware: what judges until a slot holds a confirmed model. A product brings them. */
#ifndef RW_FACTORY_H
#define RW_FACTORY_H

#include "rw_network.h"

/* NULL where there is none. */
const struct rw_network *rw_factory_health(void);
const struct rw_network *rw_factory_kinds(void);

#endif
