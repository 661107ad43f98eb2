/* emulators._core.Chance: a stream of random numbers. */
#include "python.h"

#include "chance.h"

static int chance_init(ChanceObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"seed", NULL};
    PyObject *seed;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!", names, &PyLong_Type, &seed)) {
        return -1;
    }
    self->seed = self->state = PyLong_AsUnsignedLongLongMask(seed);
    return 0;
}

static PyObject *chance_get_seed(ChanceObject *self, void *Py_UNUSED(closure)) {
    return PyLong_FromUnsignedLongLong(self->seed);
}

static PyObject *chance_next(ChanceObject *self, PyObject *Py_UNUSED(ignored)) {
    return PyLong_FromUnsignedLongLong(chance_word(&self->state));
}

/* 1 to 2^63 - 1, or 0 with an exception set. */
static uint64_t bound_of(PyObject *number) {
    long long bound = PyLong_AsLongLong(number);
    if (bound < 1 && !PyErr_Occurred()) {
        PyErr_SetString(PyExc_ValueError, "there is no number below that");
    }
    return bound < 1 ? 0 : (uint64_t)bound;
}

static PyObject *chance_below_bound(ChanceObject *self, PyObject *number) {
    uint64_t bound = bound_of(number);
    return bound == 0 ? NULL : PyLong_FromUnsignedLongLong(chance_below(&self->state, bound));
}

static PyObject *chance_between(ChanceObject *self, PyObject *const *args, Py_ssize_t count) {
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "between takes the lowest and the highest number");
        return NULL;
    }
    int64_t low = PyLong_AsLongLong(args[0]);
    int64_t high = PyLong_AsLongLong(args[1]);
    if (PyErr_Occurred()) {
        return NULL;
    }
    uint64_t span = (uint64_t)high - (uint64_t)low + 1;
    if (low > high || span == 0) {
        PyErr_SetString(PyExc_ValueError, "there is no number between those");
        return NULL;
    }
    return PyLong_FromLongLong((int64_t)((uint64_t)low + chance_below(&self->state, span)));
}

static PyObject *chance_one_in(ChanceObject *self, PyObject *number) {
    uint64_t bound = bound_of(number);
    return bound == 0 ? NULL : PyBool_FromLong(chance_below(&self->state, bound) == 0);
}

static void chance_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef chance_methods[] = {
    {"word", (PyCFunction)chance_next, METH_NOARGS, "word() -> the next number of 64 bits"},
    {"below", (PyCFunction)chance_below_bound, METH_O, "below(bound) -> a number from 0 to bound - 1"},
    {"between", (PyCFunction)(void (*)(void))chance_between, METH_FASTCALL,
     "between(low, high) -> a number from low to high, both possible"},
    {"one_in", (PyCFunction)chance_one_in, METH_O, "one_in(count) -> True once in `count` times"},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef chance_fields[] = {
    {"seed", (getter)chance_get_seed, NULL, "where the stream began", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot chance_slots[] = {
    {Py_tp_init, chance_init},
    {Py_tp_dealloc, chance_dealloc},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_methods, chance_methods},
    {Py_tp_getset, chance_fields},
    {Py_tp_doc, "Chance(seed), any whole number"},
    {0, NULL},
};

PyType_Spec python_chance_spec = {
    .name = "emulators._core.Chance",
    .basicsize = sizeof(ChanceObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = chance_slots,
};
