/* MKL's vector functions vdAsin, vmsSqrt, … under their own names; see functions.h for why.
 *
 * Names and arguments: oneMKL developer reference, "Vector mathematical functions". In each family `v` takes
 * (n, a, r) and `vm` (n, a, r, mode); the suffix `_64` says that n has 64 bits. The mode (accuracy, handling of
 * subnormal numbers, of errors) is not needed: results are within 1 unit in the last place in every mode.
 */
#define _GNU_SOURCE
#include <link.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "arcs.h"
#include "logarithm.h"
#include "tangent.h"

#define EXPORT __attribute__((visibility("default")))

/* Calls so far in this process: more than 0 says that these came before MKL's. */
EXPORT int envfreeze_portable_calls = 0;

static int is_wide(struct dl_phdr_info *info, size_t size, void *unused) {
    (void)size, (void)unused;
    return info->dlpi_name != NULL && strstr(info->dlpi_name, "libmkl_intel_ilp64") != NULL;
}

/* The number of elements. Without a suffix it has 32 bits, and the upper half of the register holds anything,
 * unless MKL's interface with 64-bit integers (ILP64) is loaded. */
static int64_t length(int64_t n) {
    static int wide = -1;
    if (__atomic_add_fetch(&envfreeze_portable_calls, 1, __ATOMIC_RELAXED) == 1 || wide < 0)
        wide = dl_iterate_phdr(is_wide, NULL);
    return wide ? n : (int32_t)n;
}

#define FAMILY(letter, type, name)                                                                          \
    EXPORT void v##letter##name(int64_t n, const type *a, type *r) {                                        \
        letter##name##_loop(length(n), a, r);                                                               \
    }                                                                                                       \
    EXPORT void vm##letter##name(int64_t n, const type *a, type *r, int64_t mode) {                         \
        (void)mode;                                                                                         \
        letter##name##_loop(length(n), a, r);                                                               \
    }                                                                                                       \
    EXPORT void v##letter##name##_64(int64_t n, const type *a, type *r) { letter##name##_loop(n, a, r); }   \
    EXPORT void vm##letter##name##_64(int64_t n, const type *a, type *r, int64_t mode) {                    \
        (void)mode;                                                                                         \
        letter##name##_loop(n, a, r);                                                                       \
    }

#define LOOP(letter, type, name, expression)                                                                \
    static void letter##name##_loop(int64_t n, const type *a, type *r) {                                    \
        for (int64_t i = 0; i < n; i++) {                                                                   \
            type x = a[i];                                                                                  \
            r[i] = (type)(expression);                                                                      \
        }                                                                                                   \
    }                                                                                                       \
    FAMILY(letter, type, name)

LOOP(d, double, Sqrt, __builtin_sqrt(x))
LOOP(s, float, Sqrt, __builtin_sqrtf(x))
LOOP(d, double, Asin, portable_asin(x))
LOOP(s, float, Asin, portable_asin(x))
LOOP(d, double, Acos, portable_acos(x))
LOOP(s, float, Acos, portable_acos(x))
LOOP(d, double, Log10, portable_log(x, BASE_10))
LOOP(s, float, Log10, portable_log(x, BASE_10))
LOOP(d, double, Log2, portable_log(x, BASE_2))
LOOP(s, float, Log2, portable_log(x, BASE_2))
LOOP(d, double, Ln, portable_log(x, BASE_E))
LOOP(s, float, Ln, portable_log(x, BASE_E))

static void sTan_loop(int64_t n, const float *a, float *r) {
    enum { BLOCK = 256 };
    for (int64_t start = 0; start < n; start += BLOCK) {
        int64_t count = n - start < BLOCK ? n - start : BLOCK;
        float kept[BLOCK]; /* r may be a */
        int outside = 0;
        for (int64_t i = 0; i < count; i++) {
            kept[i] = a[start + i];
            outside |= !(__builtin_fabsf(kept[i]) <= (float)LARGEST);
        }
        for (int64_t i = 0; i < count; i++)
            r[start + i] = (float)portable_tan(kept[i]);
        for (int64_t i = 0; outside && i < count; i++)
            if (!(__builtin_fabsf(kept[i]) <= (float)LARGEST))
                r[start + i] = (float)tan(kept[i]);
    }
}
FAMILY(s, float, Tan)
