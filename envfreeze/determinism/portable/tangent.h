/* tan of single precision, computed in double precision: x is brought to [-pi/4, pi/4] by Cody and Waite's
 * reduction in two parts, and tan is the quotient of two polynomials, Chebyshev interpolations of the rests of
 * sin and cos there. Beyond LARGEST, where two parts are not enough, the C library's double tan is taken.
 */
#ifndef ENVFREEZE_TANGENT_H
#define ENVFREEZE_TANGENT_H

#include "functions.h"

#define LARGEST 0x1p18
#define TWO_OVER_PI 0x1.45f306dc9c883p-1
#define HALF_PI_33 0x1.921fb54400000p+0 /* upper 33 bits: exact when multiplied by up to 20 bits */
#define HALF_PI_33_REST 0x1.0b4611a626331p-34
#define ROUND 0x1.8p52 /* adding it rounds to an integer, which the low bits then show */

static inline double portable_tan(double x) {
    double shifted = x * TWO_OVER_PI + ROUND;
    uint64_t odd = to_bits(shifted) & 1;
    double quarter = shifted - ROUND;
    double r = (x - quarter * HALF_PI_33) - quarter * HALF_PI_33_REST;
    double z = r * r;
    double s = 0x1.5e0711724951fp-33;
    s = s * z + -0x1.ae5fffc91a3e2p-26;
    s = s * z + 0x1.71de378bbd711p-19;
    s = s * z + -0x1.a01a019e7b518p-13;
    s = s * z + 0x1.1111111110b8fp-7;
    s = s * z + -0x1.5555555555555p-3;
    double sine = r + r * z * s;
    double c = -0x1.907999e6897e2p-37;
    c = c * z + 0x1.1eeb634b132cdp-29;
    c = c * z + -0x1.27e4fa1272706p-22;
    c = c * z + 0x1.a01a019f4a826p-16;
    c = c * z + -0x1.6c16c16c16955p-10;
    c = c * z + 0x1.5555555555555p-5;
    double cosine = 1.0 - 0.5 * z + z * z * c;
    double above = odd ? -cosine : sine;
    double below = odd ? sine : cosine;
    return x == 0.0 ? x : above / below;
}

#endif
