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

const char *python_function(int number) {
  static const char *const NAMES[COUNT + 1] = {
#define NAME(number, name) [number] = "time." #name,
      FUNCTIONS(NAME)};
  return number > 0 && number <= COUNT ? NAMES[number] : "?";
}

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

/* Where Python code is now: the innermost line outside of the standard library, else the innermost one. */
static int place(char *text, size_t size) {
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
      int library = *path == '<' || strstr(path, "/lib/python") || strstr(path, "/lib64/python");
      if (!*text || !library) snprintf(text, size, "%s:%d", path, PyFrame_GetLineNumber(frame));
      if (!library) depth = 40;
    }
    if (code) Py_DecRef(code);
    outer = PyObject_GetAttrString(frame, "f_back");
    Py_DecRef(frame);
    PyErr_Clear();
    frame = outer;
  }
  if (frame) Py_DecRef(frame);
  for (char *at = text; *at; at++)
    if (*at == '\t' || *at == '\n') *at = ' ';
  return *text != 0;
}

int python_place(char *text, size_t size) {
  PYTHON(int, Py_IsInitialized, void);
  PYTHON(int, PyGILState_Check, void);
  PYTHON(void *, PyGILState_GetThisThreadState, void);
  PYTHON(void, PyErr_Fetch, PyObject **, PyObject **, PyObject **);
  PYTHON(void, PyErr_Restore, PyObject *, PyObject *, PyObject *);
  if (!Py_IsInitialized() || !PyGILState_GetThisThreadState() || !PyGILState_Check()) return 0;
  PyObject *type, *value, *trace;
  PyErr_Fetch(&type, &value, &trace);
  int found = place(text, size);
  PyErr_Restore(type, value, trace);
  return found;
}
