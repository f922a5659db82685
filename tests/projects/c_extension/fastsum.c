#define PY_SSIZE_T_CLEAN
#include <Python.h>

static PyObject *squares(PyObject *self, PyObject *argument) {
  long n = PyLong_AsLong(argument), sum = 0;
  if (n == -1 && PyErr_Occurred()) return NULL;
  for (long i = 0; i < n; i++) sum += i * i;
  return PyLong_FromLong(sum);
}

static PyMethodDef methods[] = {{"squares", squares, METH_O, "Sum of the squares below n."}, {NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "fastsum", NULL, -1, methods};

PyMODINIT_FUNC PyInit_fastsum(void) { return PyModule_Create(&module); }
