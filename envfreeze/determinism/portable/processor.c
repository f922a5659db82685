/* What MKL is told of the processor, so that it takes the same kernels on all of them.
 *
 * MKL chooses its kernels by asking functions of its own, through the dynamic symbol table. On a processor that
 * is not Intel's it ignores MKL_CBWR=AVX2 and MKL_ENABLE_INSTRUCTIONS and takes kernels made for that vendor.
 * A preloaded library is found first, and here says "Intel" everywhere. What the processor can really do is
 * still looked up by MKL itself; profile `portable` is only used where there is AVX2.
 */

#define EXPORT __attribute__((visibility("default")))

typedef int (*Question)(void);

/* Questions answered so far in this process: more than 0 says that MKL came here. */
EXPORT int envfreeze_portable_questions = 0;

static int answer(int value) {
    __atomic_fetch_add(&envfreeze_portable_questions, 1, __ATOMIC_RELAXED);
    return value;
}

EXPORT int mkl_serv_intel_cpu(void) { return answer(1); }

EXPORT int mkl_serv_intel_cpu_true(void) { return answer(1); }

EXPORT int mkl_serv_cpuiszen(void) { return answer(0); }

/* Since oneMKL 2026 the question is asked of a function that these return. */

EXPORT Question mkl_serv_get_cpu(void) { return mkl_serv_intel_cpu; }

EXPORT Question mkl_serv_get_cpu_true(void) { return mkl_serv_intel_cpu_true; }
