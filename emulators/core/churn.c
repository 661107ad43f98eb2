#include "churn.h"

#include "chance.h"

enum { CHANGES = 4, SHALLOW = 1200, DEEPER = 400 };

static enum route_answer take(struct churn *churn, const struct churn_memory *memory, struct held *held) {
    uint32_t span = churn->high - churn->low + 1;
    uint32_t bytes = churn->low + (uint32_t)chance_below(churn->chance, span);
    enum route_answer answer = memory->malloc(memory->context, bytes, held);
    if (answer == ROUTE_NULL && churn->refused == 0) {
        churn->refused = bytes;
    }
    return answer;
}

static enum route_answer step(struct churn *churn, const struct churn_memory *memory) {
    for (int change = 0; change < CHANGES; change++) {
        struct held *held = &churn->held[chance_below(churn->chance, churn->slots)];
        if (held->owner == NULL) {
            enum route_answer answer = take(churn, memory, held);
            if (answer > ROUTE_NULL) {
                return answer;
            }
        } else if (!memory->free(memory->context, held)) {
            return ROUTE_FAULT;
        }
    }
    uint32_t depth = SHALLOW + (uint32_t)chance_below(churn->chance, DEEPER);
    churn->deepest = depth > churn->deepest ? depth : churn->deepest;
    return ROUTE_GIVEN;
}

enum churn_end churn_run(struct churn *churn, const struct churn_memory *memory, int64_t *at_ms, int64_t until_ms) {
    uint32_t deepest = churn->deepest;
    churn->refused = 0;
    for (; *at_ms <= until_ms; *at_ms += churn->every_ms) {
        enum route_answer answer = step(churn, memory);
        if (answer > ROUTE_NULL) {
            return answer == ROUTE_KILLED ? CHURN_KILLED : CHURN_FAULT;
        }
        if (churn->refused != 0 || churn->deepest > deepest) {
            return CHURN_STOPPED;
        }
    }
    return CHURN_ASLEEP;
}
