/* emulators._core.Route and .Allocation: where a device's tasks get their memory, and what they hold of it. */
#include "python.h"

#include <structmember.h>

/* ---- Allocation ---- */

static HeapObject *heap_of(PyObject *region, const struct types *types) {
    PyObject *heap = PyObject_GetAttrString(region, "heap");
    if (heap != NULL && !(PyObject_TypeCheck(heap, types->heap) && ((HeapObject *)heap)->open)) {
        PyErr_SetString(PyExc_TypeError, "a region's heap must be a Heap that could be created");
        Py_CLEAR(heap);
    }
    return (HeapObject *)heap;
}

static PyObject *allocation_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(kwargs)) {
    PyObject *region;
    PyObject *block;
    const struct types *types = python_types(type);
    if (types == NULL || !PyArg_ParseTuple(args, "OO!", &region, types->block, &block)) {
        return NULL;
    }
    AllocationObject *made = (AllocationObject *)type->tp_alloc(type, 0);
    if (made == NULL) {
        return NULL;
    }
    made->region = Py_NewRef(region);
    made->heap = heap_of(region, types);
    made->handle = (uint32_t)PyLong_AsUnsignedLongMask(PyStructSequence_GET_ITEM(block, 0));
    made->offset = (int32_t)PyLong_AsLong(PyStructSequence_GET_ITEM(block, 1));
    made->usable = (uint32_t)PyLong_AsUnsignedLongMask(PyStructSequence_GET_ITEM(block, 2));
    if (PyErr_Occurred()) {
        Py_CLEAR(made);
    }
    return (PyObject *)made;
}

static void allocation_dealloc(AllocationObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(self->region);
    Py_XDECREF(self->heap);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyObject *allocation_block(AllocationObject *self, void *Py_UNUSED(closure)) {
    return python_block(self->heap->block_type, self->handle, self->offset, self->usable);
}

static PyObject *allocation_address(AllocationObject *self, void *Py_UNUSED(closure)) {
    return PyObject_CallMethod(self->region, "address", "i", (int)self->offset);
}

static PyMemberDef allocation_members[] = {
    {"region", T_OBJECT_EX, offsetof(AllocationObject, region), READONLY, "whose heap it is of"},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef allocation_fields[] = {
    {"block", (getter)allocation_block, NULL, "the block in that heap", NULL},
    {"address", (getter)allocation_address, NULL, "its address on the device", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot allocation_slots[] = {
    {Py_tp_new, allocation_new},
    {Py_tp_dealloc, allocation_dealloc},
    {Py_tp_members, allocation_members},
    {Py_tp_getset, allocation_fields},
    {Py_tp_doc, "Allocation(region, block): a block that firmware holds"},
    {0, NULL},
};

PyType_Spec python_allocation_spec = {
    .name = "emulators._core.Allocation",
    .basicsize = sizeof(AllocationObject),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = allocation_slots,
};

/* ---- Route ---- */

static bool set_regions(RouteObject *self, const struct types *types, PyObject *regions) {
    Py_ssize_t count = PyTuple_GET_SIZE(regions);
    self->heaps = PyTuple_New(count);
    self->regions = Py_NewRef(regions);
    if (self->heaps == NULL || count == 0 || count > ROUTE_HEAPS) {
        PyErr_SetString(PyExc_ValueError, "a route leads to one heap or a few");
        return false;
    }
    for (Py_ssize_t index = 0; index < count; index++) {
        HeapObject *heap = heap_of(PyTuple_GET_ITEM(regions, index), types);
        if (heap == NULL) {
            return false;
        }
        PyTuple_SET_ITEM(self->heaps, index, (PyObject *)heap);
        self->route.heaps[index] = &heap->heap;
    }
    self->route.count = (uint32_t)count;
    self->allocation_type = types->allocation;
    return true;
}

static int route_init(RouteObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"regions", "first", "large", "most_pages", NULL};
    struct route *route = &self->route;
    PyObject *regions;
    const struct types *types = python_types(Py_TYPE(self));
    if (self->heaps != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "this route exists already");
        return -1;
    }
    if (types == NULL || !PyArg_ParseTupleAndKeywords(args, kwargs, "O!III", names, &PyTuple_Type, &regions,
                                                      &route->first, &route->large, &route->most_pages)) {
        return -1;
    }
    return set_regions(self, types, regions) ? 0 : -1;
}

static void route_dealloc(RouteObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(self->heaps);
    Py_XDECREF(self->regions);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static Py_ssize_t index_of(const RouteObject *self, const heap_t *heap) {
    Py_ssize_t index = 0;
    while (self->route.heaps[index] != heap) {
        index++;
    }
    return index;
}

static PyObject *allocation_of(RouteObject *self, const struct held *held) {
    PyTypeObject *type = self->allocation_type;
    AllocationObject *made = (AllocationObject *)type->tp_alloc(type, 0);
    if (made != NULL) {
        const heap_t *heap = held->owner;
        Py_ssize_t index = index_of(self, heap);
        struct heap_view view;
        heap->ops->view(heap, held->block, &view);
        made->region = Py_NewRef(PyTuple_GET_ITEM(self->regions, index));
        made->heap = (HeapObject *)Py_NewRef(PyTuple_GET_ITEM(self->heaps, index));
        made->handle = held->block;
        made->offset = view.pointer;
        made->usable = view.usable;
    }
    return (PyObject *)made;
}

/* malloc(bytes, written) -> an Allocation; None is NULL, False that the process is killed. */
static PyObject *py_route_malloc(RouteObject *self, PyObject *const *args, Py_ssize_t count) {
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "malloc takes bytes, and whether they are written");
        return NULL;
    }
    uint32_t bytes;
    if (!python_to_bytes(args[0], &bytes)) {
        return NULL;
    }
    struct held held = {NULL, 0};
    switch (route_malloc(&self->route, bytes, args[1] == Py_True, &held)) {
    case ROUTE_GIVEN:
        return allocation_of(self, &held);
    case ROUTE_NULL:
        Py_RETURN_NONE;
    case ROUTE_KILLED:
        Py_RETURN_FALSE;
    default:
        return PyErr_NoMemory();
    }
}

static PyObject *py_route_free(RouteObject *self, PyObject *allocation) {
    if (allocation == Py_None) {
        Py_RETURN_NONE;
    }
    if (!Py_IS_TYPE(allocation, self->allocation_type)) {
        PyErr_Format(PyExc_TypeError, "an Allocation or None is wanted, not %R", allocation);
        return NULL;
    }
    AllocationObject *held = (AllocationObject *)allocation;
    int error = heap_free(&held->heap->heap, held->handle);
    return error != HEAP_OK ? python_fault(held->heap, error, "free") : Py_NewRef(Py_None);
}

static PyObject *py_route_free_bytes(RouteObject *self, PyObject *Py_UNUSED(ignored)) {
    unsigned long sum = 0;
    for (uint32_t index = 0; index < self->route.count; index++) {
        struct heap_stats stats;
        heap_stats(self->route.heaps[index], &stats);
        sum += stats.free;
    }
    return PyLong_FromUnsignedLong(sum);
}

static PyMethodDef route_methods[] = {
    {"malloc", (PyCFunction)(void (*)(void))py_route_malloc, METH_FASTCALL,
     "malloc(bytes, written) -> an Allocation; None is NULL, False that the process is killed"},
    {"free", (PyCFunction)py_route_free, METH_O, "free(allocation); None is free(NULL)"},
    {"free_bytes", (PyCFunction)py_route_free_bytes, METH_NOARGS, "what its heaps count as free, in all"},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef route_members[] = {
    {"peak_pages", T_UINT, offsetof(RouteObject, route.peak_pages), 0, "the most resident pages yet"},
    {"most_pages", T_UINT, offsetof(RouteObject, route.most_pages), READONLY, "more of them kill the process"},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot route_slots[] = {
    {Py_tp_init, route_init},
    {Py_tp_dealloc, route_dealloc},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_methods, route_methods},
    {Py_tp_members, route_members},
    {Py_tp_doc, "Route(regions, first, large, most_pages): see core/route.h"},
    {0, NULL},
};

PyType_Spec python_route_spec = {
    .name = "emulators._core.Route",
    .basicsize = sizeof(RouteObject),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = route_slots,
};
