/* exp of single precision, computed in double precision: x = k log(2) + r with |r| <= log(2) / 2 (Cody and Waite's
 * reduction), and a polynomial in r, a Chebyshev interpolation of (exp(r) - 1 - r) / r^2, error 1e-16. Arguments
 * beyond [-200, 200] give what single precision makes of them, 0 or infinity, at those ends already.
 */
#ifndef ENVFREEZE_EXPONENTIAL_H
#define ENVFREEZE_EXPONENTIAL_H

#include "functions.h"

#define ONE_OVER_LOG_2 0x1.71547652b82fep+0
#define LOG_2 0x1.62e42fee00000p-1 /* upper 32 bits: exact when multiplied by up to 21 bits */
#define LOG_2_REST 0x1.a39ef35793c76p-33
#define TO_INTEGER 0x1.8p52 /* adding it rounds to an integer, which the low bits then show */

static inline double portable_exp(double x) {
    double inside = x < -200.0 ? -200.0 : x > 200.0 ? 200.0 : x;
    double shifted = inside * ONE_OVER_LOG_2 + TO_INTEGER;
    double k = shifted - TO_INTEGER;
    double r = (inside - k * LOG_2) - k * LOG_2_REST;
    double p = 0x1.af38a9b0ec855p-26;
    p = p * r + 0x1.289185613a3d6p-22;
    p = p * r + 0x1.71de0dae63bb3p-19;
    p = p * r + 0x1.a019b90d2ae7ap-16;
    p = p * r + 0x1.a01a01a7c41d5p-13;
    p = p * r + 0x1.6c16c1788bd90p-10;
    p = p * r + 0x1.11111111109b3p-7;
    p = p * r + 0x1.5555555553d63p-5;
    p = p * r + 0x1.5555555555556p-3;
    p = p * r + 0x1.0000000000001p-1;
    double power = from_bits((to_bits(shifted) + 1023) << 52);
    double result = (1.0 + (r + r * r * p)) * power;
    return x != x ? x : result;
}

#endif
