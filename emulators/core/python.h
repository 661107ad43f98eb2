/* What the files of the Python module share. */
#ifndef MEMFLEET_PYTHON_H
#define MEMFLEET_PYTHON_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "churn.h"
#include "heap.h"

typedef struct {
    PyObject_HEAD heap_t heap;
    struct heap_config config;
    PyTypeObject *block_type; /* of what malloc answers */
    bool open;
    bool busy; /* another thread is in a replay of this heap */
} HeapObject;

typedef struct {
    PyObject_HEAD uint64_t seed;
    uint64_t state;
} ChanceObject;

typedef struct {
    PyObject_HEAD struct route route;
    PyObject *heaps;   /* the tuple that keeps them */
    PyObject *regions; /* whose heaps they are, in the same order */
    PyTypeObject *allocation_type;
} RouteObject;

/* Traffic on a route, or by calls of Python's. */
typedef struct {
    PyObject_HEAD struct churn churn;
    PyObject *chance;
    PyObject *route;       /* or else: */
    PyObject *take, *give; /* take(bytes) -> a block of Python's or None; give(block) */
} ChurnObject;

/* churn_run; CHURN_FAULT with or without an exception set. */
enum churn_end python_churn_run(ChurnObject *churn, int64_t *at_ms, int64_t until_ms);

/* A block that firmware holds. */
typedef struct {
    PyObject_HEAD PyObject *region;
    HeapObject *heap;
    uint32_t handle, usable;
    int32_t offset;
} AllocationObject;

/* A Block of these numbers. */
PyObject *python_block(PyTypeObject *type, uint32_t handle, int32_t offset, uint32_t usable);

/* A number of bytes; false with an exception set for one that 32 bits do not hold. */
bool python_to_bytes(PyObject *number, uint32_t *bytes);

/* Raises what Heap.fault raises for an error of the core; NULL. */
PyObject *python_fault(HeapObject *heap, int error, const char *what);

/* The module's types; each object of theirs can find them. */
struct types {
    PyTypeObject *heap, *block, *chance, *route, *allocation, *churn, *schedule;
};

/* NULL with an exception set when `type` is none of them and derives from none. */
struct types *python_types(PyTypeObject *type);

extern PyType_Spec python_chance_spec;
extern PyType_Spec python_route_spec;
extern PyType_Spec python_allocation_spec;
extern PyType_Spec python_churn_spec;
extern PyType_Spec python_schedule_spec;

#endif
