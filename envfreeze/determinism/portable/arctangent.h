/* atan of single precision, computed in double precision: arguments beyond tan(pi/8) are brought below it by
 * atan(x) = pi/4 + atan((x - 1) / (x + 1)), those beyond tan(3 pi/8) by atan(x) = pi/2 - atan(1/x) (Abramowitz
 * and Stegun, 4.4.34). The polynomial is a Chebyshev interpolation of (atan(t) / t - 1) / t^2 in t^2 on
 * [0, tan(pi/8)^2], error 2.4e-14.
 */
#ifndef ENVFREEZE_ARCTANGENT_H
#define ENVFREEZE_ARCTANGENT_H

#include "functions.h"

#define TAN_PI_8 0x1.a827999fcef32p-2
#define TAN_3_PI_8 0x1.3504f333f9de6p+1
#define ATAN_1 0x1.921fb54442d18p-1
#define ATAN_INFINITY 0x1.921fb54442d18p+0

static inline double portable_atan(double x) {
    double size = __builtin_fabs(x);
    int middle = size > TAN_PI_8, large = size > TAN_3_PI_8;
    double above = large ? -1.0 : middle ? size - 1.0 : size;
    double below = large ? size : middle ? size + 1.0 : 1.0;
    double t = above / below;
    double z = t * t;
    double p = -0x1.be2efe9a9e93dp-6;
    p = p * z + 0x1.a76e53429f68dp-5;
    p = p * z + -0x1.0c533de737bdfp-4;
    p = p * z + 0x1.3a9d98b72e3acp-4;
    p = p * z + -0x1.74563e04a6f0cp-4;
    p = p * z + 0x1.c71c382a9b0edp-4;
    p = p * z + -0x1.249248aa7aa01p-3;
    p = p * z + 0x1.99999998d17aap-3;
    p = p * z + -0x1.55555555553a4p-2;
    double start = large ? ATAN_INFINITY : middle ? ATAN_1 : 0.0;
    return __builtin_copysign(start + (t + t * (z * p)), x);
}

#endif
