/*
 * Traffic, the work that every emulated firmware does besides its own matter: of so many blocks about half are held at
 * any time; four change each step. It is here and not in Python because devices spend most of their lives in it.
 */
#ifndef MEMFLEET_CHURN_H
#define MEMFLEET_CHURN_H

#include "route.h"

/* Whom it asks for memory: a route, or another who does more with it. */
struct churn_memory {
    enum route_answer (*malloc)(void *context, uint32_t bytes, struct held *held);
    bool (*free)(void *context, struct held *held); /* false for a fault */
    void *context;
};

struct churn {
    uint32_t slots;
    uint32_t low, high; /* bytes of a block */
    uint32_t every_ms;
    uint64_t *chance;
    struct held *held; /* one for each slot */

    uint32_t deepest; /* bytes of the stack in any step yet */
    uint32_t refused; /* the request that got NULL first in the last step; 0 for none */
};

enum churn_end {
    CHURN_ASLEEP,  /* all steps up to the given moment are taken */
    CHURN_STOPPED, /* after a step in which a request got NULL, or which needs more stack than there is */
    CHURN_KILLED,  /* in the middle of a step */
    CHURN_FAULT,
};

/* Takes the step of *at_ms and those that follow, up to and with until_ms; *at_ms is then the next one, or when it is
 * not asleep that of the last. */
enum churn_end churn_run(struct churn *churn, const struct churn_memory *memory, int64_t *at_ms, int64_t until_ms);

#endif
