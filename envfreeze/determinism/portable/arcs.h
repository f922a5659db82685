/* asin and acos: a polynomial for |x| <= 1/2, and asin(x) = pi/2 - 2 asin(sqrt((1 - x) / 2)) above (Abramowitz
 * and Stegun, 4.4.32 and the half-angle formula). The rounding error of the square root is computed and added.
 * The polynomial is a Chebyshev interpolation of (asin(sqrt z)/sqrt z - 1)/z on [0, 1/4], error 1.6e-17.
 */
#ifndef ENVFREEZE_ARCS_H
#define ENVFREEZE_ARCS_H

#include <math.h>

#include "functions.h"

#define HALF_PI 0x1.921fb54442d18p+0
#define HALF_PI_REST 0x1.1a62633145c07p-54

/* (asin(s) - s) / s, for z = s * s. */
static inline double arc_rest(double z) {
    double p = 0x1.d72b2bc8155f8p-6;
    p = p * z + -0x1.e6aaa8a0a04ccp-7;
    p = p * z + 0x1.1d189408314eep-6;
    p = p * z + 0x1.65a9c4dfcf8b2p-8;
    p = p * z + 0x1.52420b04b37bep-7;
    p = p * z + 0x1.782651caa6547p-7;
    p = p * z + 0x1.c9cf07674736ap-7;
    p = p * z + 0x1.1c4d35cf95421p-6;
    p = p * z + 0x1.6e8bb1c8209a2p-6;
    p = p * z + 0x1.f1c71c1db0623p-6;
    p = p * z + 0x1.6db6db6e31f13p-5;
    p = p * z + 0x1.3333333332ecap-4;
    p = p * z + 0x1.5555555555556p-3;
    return p * z;
}

typedef struct {
    double root;      /* |x|, or sqrt((1 - |x|) / 2) */
    double high, low; /* the same more exactly, as a sum; only for |x| > 1/2 */
    double rest;      /* asin(root) - root */
    int large;
} Arc;

static inline Arc arc(double x) {
    Arc a;
    double size = __builtin_fabs(x);
    a.large = size > 0.5;
    double z = a.large ? (1.0 - size) * 0.5 : size * size;
    a.root = a.large ? __builtin_sqrt(z) : size;
    a.high = upper(a.root);
    double sum = a.root + a.high;
    a.low = (z - a.high * a.high) / (sum == 0.0 ? 1.0 : sum);
    a.rest = a.root * arc_rest(z);
    return a;
}

static inline double portable_asin(double x) {
    Arc a = arc(x);
    double correction = 2.0 * a.rest - (HALF_PI_REST - 2.0 * a.low);
    double quarter = 0.5 * HALF_PI;
    double large = quarter - (correction - (quarter - 2.0 * a.high));
    return __builtin_copysign(a.large ? large : a.root + a.rest, x);
}

static inline double portable_acos(double x) {
    Arc a = arc(x);
    double middle = HALF_PI - (x - (HALF_PI_REST - __builtin_copysign(a.rest, x)));
    double right = 2.0 * (a.high + (a.rest + a.low));
    double left = 2.0 * HALF_PI - 2.0 * (a.root + (a.rest - HALF_PI_REST));
    return a.large ? (x < 0.0 ? left : right) : middle;
}

#endif
