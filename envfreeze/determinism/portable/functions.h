/* Element-wise functions in place of those of MKL that use approximate reciprocals.
 *
 * RCPPS, RSQRTPS and their like promise a relative error only (Intel SDM, volume 2; AMD APM, volume 4): the low
 * bits are each maker's own, and MKL lets them show. Everything here is made of the operations that IEEE 754
 * rounds correctly (+ - * / sqrt, conversions), in a fixed order and without contraction, so that the results
 * are the same on every processor. Compiled with -ffp-contract=off.
 */
#ifndef ENVFREEZE_FUNCTIONS_H
#define ENVFREEZE_FUNCTIONS_H

#include <stdint.h>
#include <string.h>

static inline double from_bits(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint64_t to_bits(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* The upper 21 bits of the significand, so that a product of two such values is exact. */
static inline double upper(double value) { return from_bits(to_bits(value) & 0xffffffff00000000u); }

#endif
