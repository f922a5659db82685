/* Kernels for TensorFlow's CPU device in place of those that Eigen builds on approximate reciprocals.
 *
 * TensorFlow's wheels have RCPPS and RSQRTPS compiled into Eigen's inverse and inverse square root of single
 * precision, and into what is made of them; no setting leaves them out. TensorFlow takes kernels from libraries
 * through its C interface (tensorflow/c/kernels.h), and of two for the same operation that with the higher
 * priority. The agent calls `envfreeze_portable_tensorflow` right after `import tensorflow`.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "arctangent.h"
#include "exponential.h"

#define EXPORT __attribute__((visibility("default")))

enum { FLOAT = 1, MOST_DIMENSIONS = 254, LANES = 8 };

typedef struct TF_Status TF_Status;
typedef struct TF_Tensor TF_Tensor;
typedef struct TF_KernelBuilder TF_KernelBuilder;
typedef struct TF_OpKernelContext Context;
typedef void (*Compute)(void *, Context *);

/* The functions that are used of TensorFlow's C interface, looked up by name. */
#define FUNCTIONS(F)                                                                                        \
    F(TF_Status *, TF_NewStatus, (void))                                                                    \
    F(void, TF_DeleteStatus, (TF_Status *))                                                                 \
    F(int, TF_GetCode, (const TF_Status *))                                                                 \
    F(TF_KernelBuilder *, TF_NewKernelBuilder,                                                              \
      (const char *, const char *, void *(*)(void *), Compute, void (*)(void *)))                           \
    F(void, TF_KernelBuilder_TypeConstraint, (TF_KernelBuilder *, const char *, int, TF_Status *))          \
    F(void, TF_KernelBuilder_Priority, (TF_KernelBuilder *, int32_t))                                       \
    F(void, TF_RegisterKernelBuilder, (const char *, TF_KernelBuilder *, TF_Status *))                      \
    F(void, TF_DeleteKernelBuilder, (TF_KernelBuilder *))                                                   \
    F(void, TF_GetInput, (Context *, int, TF_Tensor **, TF_Status *))                                       \
    F(TF_Tensor *, TF_AllocateOutput, (Context *, int, int, const int64_t *, int, size_t, TF_Status *))     \
    F(void, TF_OpKernelContext_Failure, (Context *, TF_Status *))                                           \
    F(int, TF_NumDims, (const TF_Tensor *))                                                                 \
    F(int64_t, TF_Dim, (const TF_Tensor *, int))                                                            \
    F(size_t, TF_TensorByteSize, (const TF_Tensor *))                                                       \
    F(void *, TF_TensorData, (const TF_Tensor *))                                                           \
    F(void, TF_DeleteTensor, (TF_Tensor *))

#define DECLARE(result, name, arguments) static result(*name) arguments;
FUNCTIONS(DECLARE)

static int look_up(const char *path) {
    void *library = dlopen(path, RTLD_NOLOAD | RTLD_LAZY | RTLD_LOCAL);
    if (library == NULL)
        return 0;
#define FIND(result, name, arguments)                                                                       \
    *(void **)&name = dlsym(library, #name);                                                                \
    if (name == NULL)                                                                                       \
        return 0;
    FUNCTIONS(FIND)
    return 1;
}

/* `columns` is the last dimension, and all elements where there is none. */
typedef void (*Loop)(int64_t n, int64_t columns, const float *a, float *r);

static void compute(Context *context, Loop loop) {
    TF_Status *status = TF_NewStatus();
    TF_Tensor *input = NULL, *output = NULL;
    TF_GetInput(context, 0, &input, status);
    if (TF_GetCode(status) == 0) {
        int64_t dimensions[MOST_DIMENSIONS];
        int count = TF_NumDims(input);
        size_t size = TF_TensorByteSize(input);
        for (int i = 0; i < count && i < MOST_DIMENSIONS; i++)
            dimensions[i] = TF_Dim(input, i);
        output = TF_AllocateOutput(context, 0, FLOAT, dimensions, count, size, status);
        int64_t n = (int64_t)(size / sizeof(float));
        if (TF_GetCode(status) == 0 && n > 0)
            loop(n, count > 0 ? dimensions[count - 1] : n, TF_TensorData(input), TF_TensorData(output));
    }
    if (TF_GetCode(status) != 0)
        TF_OpKernelContext_Failure(context, status);
    if (output != NULL)
        TF_DeleteTensor(output);
    if (input != NULL)
        TF_DeleteTensor(input);
    TF_DeleteStatus(status);
}

#define KERNEL(name)                                                                                        \
    static void name##_compute(void *unused, Context *context) {                                            \
        (void)unused;                                                                                       \
        compute(context, name##_loop);                                                                      \
    }

#define ELEMENT_WISE(name, expression)                                                                      \
    static void name##_loop(int64_t n, int64_t columns, const float *a, float *r) {                         \
        (void)columns;                                                                                      \
        for (int64_t i = 0; i < n; i++) {                                                                   \
            double x = a[i];                                                                                \
            r[i] = (float)(expression);                                                                     \
        }                                                                                                   \
    }                                                                                                       \
    KERNEL(name)

ELEMENT_WISE(Reciprocal, 1.0 / x)
ELEMENT_WISE(Rsqrt, 1.0 / __builtin_sqrt(x))
ELEMENT_WISE(Atan, portable_atan(x))
ELEMENT_WISE(Erfc, erfc(x))

/* exp(x - max) / sum(exp(x - max)) of a row; the sum in LANES parts, so that it can be vectorised. */
static void softmax_row(int64_t columns, const float *a, float *r) {
    float largest[LANES], most = a[0];
    double sums[LANES] = {0.0}, sum = 0.0;
    int64_t whole = columns - columns % LANES, i;
    for (int lane = 0; lane < LANES; lane++)
        largest[lane] = a[0];
    for (i = 0; i < whole; i += LANES)
        for (int lane = 0; lane < LANES; lane++)
            largest[lane] = a[i + lane] > largest[lane] ? a[i + lane] : largest[lane];
    for (; i < columns; i++)
        most = a[i] > most ? a[i] : most;
    for (int lane = 0; lane < LANES; lane++)
        most = largest[lane] > most ? largest[lane] : most;
    for (i = 0; i < whole; i += LANES)
        for (int lane = 0; lane < LANES; lane++) {
            double value = portable_exp((double)a[i + lane] - most);
            sums[lane] += value;
            r[i + lane] = (float)value;
        }
    for (; i < columns; i++) {
        double value = portable_exp((double)a[i] - most);
        sum += value;
        r[i] = (float)value;
    }
    for (int lane = 0; lane < LANES; lane++)
        sum += sums[lane];
    for (i = 0; i < columns; i++)
        r[i] = (float)(r[i] / sum);
}

static void Softmax_loop(int64_t n, int64_t columns, const float *a, float *r) {
    for (int64_t start = 0; start < n; start += columns)
        softmax_row(columns, a + start, r + start);
}
KERNEL(Softmax)

static const struct {
    const char *operation;
    Loop loop;
    Compute compute;
} KERNELS[] = {
#define ENTRY(operation, name) {operation, name##_loop, name##_compute},
    ENTRY("Reciprocal", Reciprocal) ENTRY("Inv", Reciprocal) ENTRY("Rsqrt", Rsqrt)
    ENTRY("Atan", Atan) ENTRY("Erfc", Erfc) ENTRY("Softmax", Softmax)
};
enum { COUNT = sizeof KERNELS / sizeof *KERNELS };

/* One of the kernels without TensorFlow, for tests: 1 when there is one of this name. */
EXPORT int envfreeze_portable_kernel(const char *name, int64_t n, int64_t columns, const float *a, float *r) {
    for (int i = 0; i < COUNT; i++)
        if (strcmp(KERNELS[i].operation, name) == 0) {
            KERNELS[i].loop(n, columns, a, r);
            return 1;
        }
    return 0;
}

/* 1 when TensorFlow, loaded from `path` (its libtensorflow_framework), has taken all kernels; 0 when not. */
EXPORT int envfreeze_portable_tensorflow(const char *path) {
    if (!look_up(path))
        return 0;
    TF_Status *status = TF_NewStatus();
    int taken = 1;
    for (int i = 0; i < COUNT && taken; i++) {
        TF_KernelBuilder *builder =
            TF_NewKernelBuilder(KERNELS[i].operation, "CPU", NULL, KERNELS[i].compute, NULL);
        TF_KernelBuilder_TypeConstraint(builder, "T", FLOAT, status);
        taken = TF_GetCode(status) == 0;
        if (!taken) {
            TF_DeleteKernelBuilder(builder);
            break;
        }
        TF_KernelBuilder_Priority(builder, 1);
        TF_RegisterKernelBuilder(KERNELS[i].operation, builder, status); /* owns the builder */
        taken = TF_GetCode(status) == 0;
    }
    TF_DeleteStatus(status);
    return taken;
}
