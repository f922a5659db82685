/* Logarithms: x = 2^e (1 + f) with 1 + f near 1; log(1 + f) = 2 artanh(f / (2 + f)) (Abramowitz and Stegun,
 * 4.1.27) by a polynomial, in two parts. The products with 1/ln(base) and the sum with e log(2) are kept in two
 * parts too, so that only the last addition rounds visibly. The polynomial is a Chebyshev interpolation of
 * (2 artanh(s) / s - 2) / s^2 in s^2 on [0, 0.0295], error 2e-18.
 */
#ifndef ENVFREEZE_LOGARITHM_H
#define ENVFREEZE_LOGARITHM_H

#include <math.h>

#include "functions.h"

#define SQRT_2 0x1.6a09e667f3bcdp+0

/* For each base two numbers in two parts: 1/ln(base), its first part of 21 bits, and log(2) in that base, its
 * first part of 30 bits (exact when multiplied by an exponent). */
typedef struct {
    double scale, scale_rest, two, two_rest;
} Base;

static const Base BASE_10 = {0x1.bcb7b00000000p-2, 0x1.526e50e32a6abp-26, 0x1.3441350800000p-2, 0x1.f79fef311f12bp-34};
static const Base BASE_2 = {0x1.7154700000000p+0, 0x1.94ae0bf85ddf4p-22, 1.0, 0.0};
static const Base BASE_E = {1.0, 0.0, 0x1.62e42fe800000p-1, 0x1.e8e7bcd5e4f1ep-31};

static inline double portable_log(double x, Base base) {
    int tiny = x < 0x1p-1022;
    double scaled = tiny ? x * 0x1p54 : x;
    uint64_t bits = to_bits(scaled);
    /* An integer below 2^52 becomes a double by the bits of 2^52 before it. */
    double exponent = from_bits((bits >> 52) | 0x4330000000000000u) - (0x1p52 + 1023.0) - (tiny ? 54.0 : 0.0);
    double m = from_bits((bits & 0x000fffffffffffffu) | 0x3ff0000000000000u);
    int over = m > SQRT_2;
    m = over ? m * 0.5 : m;
    exponent = over ? exponent + 1.0 : exponent;

    double f = m - 1.0;
    double s = f / (2.0 + f);
    double z = s * s;
    double p = 0x1.0c135adcf3011p-3;
    p = p * z + 0x1.0fbd140544b63p-3;
    p = p * z + 0x1.3b1c43c68eb6dp-3;
    p = p * z + 0x1.745cf8c09a9d4p-3;
    p = p * z + 0x1.c71c7201fc0e6p-3;
    p = p * z + 0x1.249249247670ap-2;
    p = p * z + 0x1.9999999999a3ap-2;
    p = p * z + 0x1.5555555555555p-1;
    double half = 0.5 * f * f;
    double high = upper(f - half);
    double low = (f - high) - half + s * (half + p * z);

    double whole = exponent * base.two;
    double part = high * base.scale;
    double sum = whole + part;
    double rest = exponent * base.two_rest + (low + high) * base.scale_rest + low * base.scale;
    double result = sum + (rest + ((whole - sum) + part));

    result = x == 0.0 ? -INFINITY : result;
    result = x < 0.0 ? NAN : result;
    return x == INFINITY || x != x ? x : result;
}

#endif
