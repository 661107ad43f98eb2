/*
 * A stream of random numbers that is the same on every machine: SplitMix64 (Steele, Lea, Flood 2014), one word of
 * state.
 */
#ifndef MEMFLEET_CHANCE_H
#define MEMFLEET_CHANCE_H

#include <stdint.h>

/* The next number of 64 bits. */
static inline uint64_t chance_word(uint64_t *state) {
    uint64_t word = *state += UINT64_C(0x9E3779B97F4A7C15);
    word = (word ^ word >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    word = (word ^ word >> 27) * UINT64_C(0x94D049BB133111EB);
    return word ^ word >> 31;
}

/* A number from 0 to bound - 1: the upper word of the product. */
static inline uint64_t chance_below(uint64_t *state, uint64_t bound) {
    uint64_t word = chance_word(state);
    uint64_t low = (word & UINT32_MAX) * (bound & UINT32_MAX);
    uint64_t left = (word >> 32) * (bound & UINT32_MAX) + (low >> 32);
    uint64_t right = (word & UINT32_MAX) * (bound >> 32) + (left & UINT32_MAX);
    return (word >> 32) * (bound >> 32) + (left >> 32) + (right >> 32);
}

#endif
