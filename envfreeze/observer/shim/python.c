/* CPython: which of its clock reads are the program's.
 *
 * The functions of its module time call the C library from the same few places as the interpreter's own lock
 * waits do. So they are marked: the C function behind each is replaced, in its PyMethodDef, by one that says
 * which function it is and calls the original. The Python objects stay the same. */
#include "tape.h"

#include <stdio.h>
#include <string.h>

typedef struct _object PyObject;
typedef void *(*function)(void *, void *, void *, void *, void *);
struct method { /* PyMethodDef: https://docs.python.org/3/c-api/structures.html */
  const char *name;
  function call;
  int flags;
  const char *text;
};

#define FUNCTIONS(X) \
  X(1, time) X(2, time_ns) X(3, monotonic) X(4, monotonic_ns) X(5, perf_counter) X(6, perf_counter_ns) \
  X(7, process_time) X(8, process_time_ns) X(9, thread_time) X(10, thread_time_ns) X(11, clock_gettime) \
  X(12, clock_gettime_ns) X(13, localtime) X(14, gmtime) X(15, ctime) X(16, asctime) X(17, strftime)
#define COUNT 17

__thread int python_reads __attribute__((tls_model("initial-exec")));
static function originals[COUNT + 1];

/* All of them take pointers and lengths only: registers that an original does not read do no harm. */
#define MARKED(number, name) \
  static void *marked_##name(void *a, void *b, void *c, void *d, void *e) { \
    int before = python_reads; \
    python_reads = number; \
    void *result = originals[number](a, b, c, d, e); \
    python_reads = before; \
    return result; \
  }
FUNCTIONS(MARKED)

static const struct { const char *name; function marked; } table[COUNT + 1] = {
#define ROW(number, name) [number] = {#name, marked_##name},
    FUNCTIONS(ROW)};

static enum { UNKNOWN, ABSENT, PRESENT, MARKED_NOW, FAILED } situation;
static const void *base;

#define PYTHON(type, name, ...) \
  static type (*name)(__VA_ARGS__); \
  if (!name) name = (type(*)(__VA_ARGS__))dlsym(RTLD_DEFAULT, #name); \
  if (!name) return 0

static int find_base(void) {
  PYTHON(int, Py_IsInitialized, void);
  Dl_info info;
  if (dladdr((void *)Py_IsInitialized, &info)) base = info.dli_fbase;
  return base != NULL;
}

const void *python_base(void) {
  if (situation == UNKNOWN) situation = find_base() ? PRESENT : ABSENT;
  return base;
}

int python_marks(void) { return python_base() && situation != FAILED; }

/* A built-in function's PyMethodDef is its first field after PyObject_HEAD, which is longer in builds without
 * a global lock; whether it is that is seen by what the public API says. */
static struct method *definition(PyObject *object, const char *name) {
  PYTHON(function, PyCFunction_GetFunction, PyObject *);
  function known = PyCFunction_GetFunction(object);
  for (size_t head = 16; head <= 32; head += 16) {
    struct method *found;
    memcpy(&found, (char *)object + head, sizeof found);
    /* In the longer form the 16 bytes are counters and no pointer. */
    Dl_info info;
    if (found && dladdr(found, &info) && found->call == known && !strcmp(found->name, name)) return found;
  }
  return NULL;
}

static int mark(void) {
  PYTHON(PyObject *, PyImport_GetModuleDict, void);
  PYTHON(PyObject *, PyDict_GetItemString, PyObject *, const char *);
  PYTHON(PyObject *, PyModule_GetDict, PyObject *);
  PYTHON(PyObject *, PyCFunction_GetFunction, PyObject *);
  PYTHON(PyObject *, PyEval_GetBuiltins, void);
  PyObject *modules = PyImport_GetModuleDict();
  PyObject *module = modules ? PyDict_GetItemString(modules, "time") : NULL;
  if (!module) return 0; /* not yet */
  PyObject *names = PyModule_GetDict(module), *builtins = PyEval_GetBuiltins();
  PyObject *some = builtins ? PyDict_GetItemString(builtins, "len") : NULL;
  if (!names || !some) return -1;
  int marked = 0;
  for (int i = 1; i <= COUNT; i++) {
    PyObject *object = PyDict_GetItemString(names, table[i].name);
    /* Only what is a built-in function like len: its type comes behind the reference count. */
    if (!object || memcmp((char *)object + 8, (char *)some + 8, 8) != 0) continue;
    struct method *method = definition(object, table[i].name);
    if (!method) continue;
    originals[i] = method->call;
    method->call = table[i].marked;
    marked++;
  }
  return marked ? 1 : -1;
}

static int attach(void) {
  PYTHON(int, Py_IsInitialized, void);
  PYTHON(void *, PyGILState_GetThisThreadState, void);
  PYTHON(int, PyGILState_Ensure, void);
  PYTHON(void, PyGILState_Release, int);
  if (!Py_IsInitialized() || !PyGILState_GetThisThreadState()) return 0;
  int kept = PyGILState_Ensure(), result = mark();
  PyGILState_Release(kept);
  return result;
}

/* Called while a file is opened: CPython does that all through its start, in a thread that may take its lock. */
void python_attach(void) {
  static volatile char trying;
  if (!python_base() || situation != PRESENT || __atomic_test_and_set(&trying, __ATOMIC_ACQUIRE)) return;
  int result = attach();
  if (result) situation = result > 0 ? MARKED_NOW : FAILED;
  __atomic_clear(&trying, __ATOMIC_RELEASE);
}

static int text_of(PyObject *object, const char *attribute, char *text, size_t size) {
  PYTHON(PyObject *, PyObject_GetAttrString, PyObject *, const char *);
  PYTHON(const char *, PyUnicode_AsUTF8, PyObject *);
  PYTHON(void, Py_DecRef, PyObject *);
  PYTHON(void, PyErr_Clear, void);
  PyObject *value = PyObject_GetAttrString(object, attribute);
  const char *utf8 = value ? PyUnicode_AsUTF8(value) : NULL;
  if (utf8) snprintf(text, size, "%s", utf8);
  else PyErr_Clear();
  if (value) Py_DecRef(value);
  return utf8 != NULL;
}

static int in_library(const char *path) {
  return *path == '<' || ((strstr(path, "/lib/python") || strstr(path, "/lib64/python")) &&
                          !strstr(path, "/site-packages/") && !strstr(path, "/dist-packages/"));
}

/* Where Python code is now: the innermost line, and the innermost one outside of the standard library. */
static int place(char *inner, char *text, size_t size) {
  PYTHON(PyObject *, PyEval_GetFrame, void);
  PYTHON(PyObject *, PyObject_GetAttrString, PyObject *, const char *);
  PYTHON(int, PyFrame_GetLineNumber, PyObject *);
  PYTHON(void, Py_DecRef, PyObject *);
  PYTHON(void, Py_IncRef, PyObject *);
  PYTHON(void, PyErr_Clear, void);
  PyObject *frame = PyEval_GetFrame();
  if (frame) Py_IncRef(frame);
  for (int depth = 0; frame && depth < 40; depth++) {
    char path[400] = "";
    PyObject *code = PyObject_GetAttrString(frame, "f_code"), *outer;
    if (code && text_of(code, "co_filename", path, sizeof path)) {
      int library = in_library(path);
      if (!*inner) snprintf(inner, size, "%s:%d", path, PyFrame_GetLineNumber(frame));
      if (!library) snprintf(text, size, "%s:%d", path, PyFrame_GetLineNumber(frame));
      if (!library) depth = 40;
    }
    if (code) Py_DecRef(code);
    outer = PyObject_GetAttrString(frame, "f_back");
    Py_DecRef(frame);
    PyErr_Clear();
    frame = outer;
  }
  if (frame) Py_DecRef(frame);
  return *inner != 0;
}

/* A stand-in for a call site: the function in the highest byte, which addresses do not use, and the code object. */
#define FUNCTION_SHIFT 56
#define RANDOMNESS (COUNT + 1)
#define DATE (COUNT + 2)

static const void *stand_in(int function, const void *code) {
  return (const void *)((uintptr_t)code | (uintptr_t)function << FUNCTION_SHIFT);
}

static PyObject *(*get_frame)(void), *(*get_code)(PyObject *), *(*get_back)(PyObject *);
static void (*decrease)(PyObject *);
static void *(*current)(void), *(*mine)(void);

/* PyFrame_GetCode and PyFrame_GetBack are of Python 3.9; before that only the function is known. */
static int find_frames(void) {
  static int found;
  if (!found) {
    get_frame = (__typeof__(get_frame))dlsym(RTLD_DEFAULT, "PyEval_GetFrame");
    get_code = (__typeof__(get_code))dlsym(RTLD_DEFAULT, "PyFrame_GetCode");
    get_back = (__typeof__(get_back))dlsym(RTLD_DEFAULT, "PyFrame_GetBack");
    decrease = (__typeof__(decrease))dlsym(RTLD_DEFAULT, "Py_DecRef");
    current = (__typeof__(current))dlsym(RTLD_DEFAULT, "_PyThreadState_UncheckedGet");
    if (!current) current = (__typeof__(current))dlsym(RTLD_DEFAULT, "PyThreadState_GetUnchecked");
    mine = (__typeof__(mine))dlsym(RTLD_DEFAULT, "PyGILState_GetThisThreadState");
    found = get_frame && get_code && get_back && decrease && current && mine ? 1 : -1;
  }
  return found > 0;
}

/* The code that runs now, kept by its frame; the interpreter's lock is held. */
static const void *running_code(void) {
  PyObject *frame = get_frame(), *code = frame ? get_code(frame) : NULL;
  if (code) decrease(code);
  return code;
}

const void *python_reader(void) { return stand_in(python_reads, find_frames() ? running_code() : NULL); }

/* The module datetime reads the clock without a function that could be marked, and with the lock held, as lock
 * waits do not. */
const void *python_dater(void) {
  if (situation != MARKED_NOW || !find_frames()) return NULL;
  void *thread = current();
  return thread && thread == mine() ? stand_in(DATE, running_code()) : NULL;
}

/* The innermost code outside of the standard library: through random, uuid and tempfile all would be one. */
static const void *drawing_code(void) {
  PYTHON(void, Py_IncRef, PyObject *);
  PyObject *frame = get_frame(), *code = NULL;
  if (frame) Py_IncRef(frame);
  for (int depth = 0; frame && depth < 40; depth++) {
    char path[400] = "";
    PyObject *here = get_code(frame), *outer = get_back(frame);
    int known = text_of(here, "co_filename", path, sizeof path);
    decrease(here); /* kept by its frame, which this thread is in */
    decrease(frame);
    frame = outer;
    code = here;
    if (known && !in_library(path)) break;
  }
  if (frame) decrease(frame);
  return code;
}

const void *python_drawer(void) {
  PYTHON(int, Py_IsInitialized, void);
  PYTHON(int, PyGILState_Ensure, void);
  PYTHON(void, PyGILState_Release, int);
  PYTHON(void *, PyGILState_GetThisThreadState, void);
  PYTHON(void, PyErr_Fetch, PyObject **, PyObject **, PyObject **);
  PYTHON(void, PyErr_Restore, PyObject *, PyObject *, PyObject *);
  if (situation != MARKED_NOW || !find_frames() || !Py_IsInitialized() || !PyGILState_GetThisThreadState()) return NULL;
  int kept = PyGILState_Ensure();
  PyObject *type, *value, *trace;
  PyErr_Fetch(&type, &value, &trace);
  const void *asker = stand_in(RANDOMNESS, drawing_code());
  tape_site(asker); /* it is described now, while its code cannot go away */
  PyErr_Restore(type, value, trace);
  PyGILState_Release(kept);
  return asker;
}

/* Digits are left out of the file's name: notebooks put a process number there. Keeps the code for good, as its
 * address stands for it. */
int python_describe(const void *asker, char *text, size_t size) {
  static const char *const NAMES[DATE + 1] = {
#define NAME(number, name) [number] = "time." #name,
      FUNCTIONS(NAME)[RANDOMNESS] = "randomness", [DATE] = "datetime"};
  PYTHON(void, Py_IncRef, PyObject *);
  uintptr_t function = (uintptr_t)asker >> FUNCTION_SHIFT;
  PyObject *code = (PyObject *)((uintptr_t)asker & (((uintptr_t)1 << FUNCTION_SHIFT) - 1));
  if (function == 0 || function > DATE) return 0;
  char path[400] = "", name[64] = "";
  if (code) {
    Py_IncRef(code);
    text_of(code, "co_filename", path, sizeof path);
    text_of(code, "co_name", name, sizeof name);
  }
  const char *slash = strrchr(path, '/');
  char file[40];
  size_t used = 0;
  for (const char *at = slash ? slash + 1 : path; *at && used + 1 < sizeof file; at++)
    if (*at < '0' || *at > '9') file[used++] = *at;
  file[used] = 0;
  snprintf(text, size, *name ? "%s in %s:%s" : "%s", NAMES[function], file, name);
  return 1;
}

/* With `may_wait` the thread waits for the interpreter's lock: it must not be in the middle of taking it. */
int python_place(int may_wait, char *inner, char *text, size_t size) {
  PYTHON(int, Py_IsInitialized, void);
  PYTHON(int, PyGILState_Check, void);
  PYTHON(int, PyGILState_Ensure, void);
  PYTHON(void, PyGILState_Release, int);
  PYTHON(void *, PyGILState_GetThisThreadState, void);
  PYTHON(void, PyErr_Fetch, PyObject **, PyObject **, PyObject **);
  PYTHON(void, PyErr_Restore, PyObject *, PyObject *, PyObject *);
  if (!Py_IsInitialized() || !PyGILState_GetThisThreadState() || !(may_wait || PyGILState_Check())) return 0;
  int kept = PyGILState_Ensure();
  PyObject *type, *value, *trace;
  PyErr_Fetch(&type, &value, &trace);
  int found = place(inner, text, size);
  PyErr_Restore(type, value, trace);
  PyGILState_Release(kept);
  return found;
}
