/* emulators._core.Churn: the task of a device that is compiled. */
#include "python.h"

#include <stdlib.h>

static enum route_answer malloc_by_route(void *context, uint32_t bytes, struct held *held) {
    return route_malloc(context, bytes, true, held);
}

static bool free_by_route(void *context, struct held *held) {
    (void)context;
    route_free(held);
    return true;
}

static enum route_answer malloc_by_call(void *context, uint32_t bytes, struct held *held) {
    PyObject *block = PyObject_CallFunction(((ChurnObject *)context)->take, "I", (unsigned int)bytes);
    if (block == NULL || block == Py_None) {
        Py_XDECREF(block);
        return block == NULL ? ROUTE_FAULT : ROUTE_NULL;
    }
    held->owner = block;
    return ROUTE_GIVEN;
}

static bool free_by_call(void *context, struct held *held) {
    PyObject *block = held->owner;
    held->owner = NULL;
    PyObject *done = PyObject_CallOneArg(((ChurnObject *)context)->give, block);
    Py_DECREF(block);
    Py_XDECREF(done);
    return done != NULL;
}

static bool prepare(ChurnObject *self, PyObject *memory) {
    struct churn *churn = &self->churn;
    const struct types *types = python_types(Py_TYPE(self));
    if (types == NULL || !PyObject_TypeCheck(self->chance, types->chance)) {
        PyErr_SetString(PyExc_TypeError, "chance must be a Chance");
        return false;
    }
    if (PyObject_TypeCheck(memory, types->route)) {
        self->route = Py_NewRef(memory);
    } else if (!PyTuple_Check(memory) || !PyArg_ParseTuple(memory, "OO", &self->take, &self->give)) {
        PyErr_SetString(PyExc_TypeError, "memory must be a Route, or a pair of callables");
        return false;
    }
    Py_XINCREF(self->take);
    Py_XINCREF(self->give);
    if (churn->slots == 0 || churn->every_ms == 0 || churn->low > churn->high) {
        PyErr_SetString(PyExc_ValueError, "a churn needs a slot, time, and sizes from low to high");
        return false;
    }
    churn->chance = &((ChanceObject *)self->chance)->state;
    churn->held = calloc(churn->slots, sizeof *churn->held);
    if (churn->held == NULL) {
        PyErr_NoMemory();
    }
    return churn->held != NULL;
}

static int churn_init(ChurnObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"memory", "chance", "slots", "low", "high", "every_ms", NULL};
    struct churn *churn = &self->churn;
    PyObject *memory;
    PyObject *chance;
    if (self->chance != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "this churn exists already");
        return -1;
    }
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOIIII", names, &memory, &chance, &churn->slots, &churn->low,
                                     &churn->high, &churn->every_ms)) {
        return -1;
    }
    self->chance = Py_NewRef(chance);
    return prepare(self, memory) ? 0 : -1;
}

static void churn_dealloc(ChurnObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    for (uint32_t slot = 0; self->take != NULL && self->churn.held != NULL && slot < self->churn.slots; slot++) {
        Py_XDECREF((PyObject *)self->churn.held[slot].owner);
    }
    free(self->churn.held);
    Py_XDECREF(self->route);
    Py_XDECREF(self->take);
    Py_XDECREF(self->give);
    Py_XDECREF(self->chance);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

enum churn_end python_churn_run(ChurnObject *churn, int64_t *at_ms, int64_t until_ms) {
    struct churn_memory memory = {malloc_by_call, free_by_call, churn};
    if (churn->route != NULL) {
        memory = (struct churn_memory){malloc_by_route, free_by_route, &((RouteObject *)churn->route)->route};
    }
    return churn_run(&churn->churn, &memory, at_ms, until_ms);
}

static PyType_Slot churn_slots[] = {
    {Py_tp_init, churn_init},
    {Py_tp_dealloc, churn_dealloc},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_doc, "Churn(memory, chance, slots, low, high, every_ms): see core/churn.h"},
    {0, NULL},
};

PyType_Spec python_churn_spec = {
    .name = "emulators._core.Churn",
    .basicsize = sizeof(ChurnObject),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = churn_slots,
};
