/*
 * The Python module emulators._core: a thin binding, meant for emulators/heap.py, chance.py and firmware.py alone.
 *
 * Errors of the core are its negative codes; Heap.fault, which heap.py defines, turns them into sentences. Columns come
 * and go as buffers (NumPy arrays), so that this file needs no NumPy header. The GIL is released during replays.
 */
#include "python.h"

#include <stdlib.h>

#include "replay.h"

static void *resize_raw(void *context, void *old, size_t old_bytes, size_t bytes) {
    (void)context;
    (void)old_bytes;
    if (bytes == 0) {
        free(old);
        return NULL;
    }
    return realloc(old, bytes);
}

static bool usable(HeapObject *self) {
    if (self->open && !self->busy) {
        return true;
    }
    PyErr_SetString(PyExc_RuntimeError,
                    self->open ? "this heap is in use by another thread" : "this heap could not be created");
    return false;
}

/* ---- Creation ---- */

static int heap_init(HeapObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"allocator", "size", "base", "max_request", "total_limit", "brk_limit", NULL};
    unsigned int allocator = 0;
    unsigned int size = 0;
    unsigned int base = 0;
    unsigned int max_request = 0;
    unsigned int total_limit = 0;
    unsigned int brk_limit = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "II|IIII", names, &allocator, &size, &base, &max_request,
                                     &total_limit, &brk_limit)) {
        return -1;
    }
    if (self->open) {
        PyErr_SetString(PyExc_RuntimeError, "this heap exists already");
        return -1;
    }
    self->config = (struct heap_config){
        .allocator = (enum heap_allocator)allocator,
        .base = base,
        .size = size,
        .max_request = max_request,
        .total_limit = total_limit,
        .brk_limit = brk_limit,
        .memory = {resize_raw, NULL},
    };
    const struct types *types = python_types(Py_TYPE(self));
    if (types == NULL) {
        return -1;
    }
    self->block_type = types->block;
    int error = heap_create(&self->heap, &self->config);
    self->open = error == HEAP_OK;
    if (error == HEAP_E_MEMORY) {
        PyErr_NoMemory();
    } else if (error != HEAP_OK) {
        PyErr_SetObject(PyExc_ValueError, PyLong_FromLong(error));
    }
    return error == HEAP_OK ? 0 : -1;
}

static void heap_dealloc(HeapObject *self) {
    if (self->open) {
        heap_destroy(&self->heap);
    }
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

/* ---- Single operations: a block or None; a negative code becomes the exception of Heap.fault ---- */

PyObject *python_fault(HeapObject *heap, int error, const char *what) {
    PyObject *none = PyObject_CallMethod((PyObject *)heap, "fault", "is", error, what);
    Py_XDECREF(none);
    if (none != NULL) {
        PyErr_SetString(PyExc_SystemError, "Heap.fault has to raise");
    }
    return NULL;
}

PyObject *python_block(PyTypeObject *type, uint32_t handle, int32_t offset, uint32_t usable) {
    PyObject *numbers[] = {PyLong_FromUnsignedLong(handle), PyLong_FromLong(offset), PyLong_FromUnsignedLong(usable)};
    PyObject *block = PyStructSequence_New(type);
    for (Py_ssize_t field = 0; field < 3; field++) {
        if (block == NULL || numbers[field] == NULL) {
            Py_XDECREF(numbers[field]);
            Py_CLEAR(block);
        } else {
            PyStructSequence_SET_ITEM(block, field, numbers[field]);
        }
    }
    return block;
}

static PyObject *block_of(HeapObject *self, struct heap_pointer pointer, const char *what) {
    if (pointer.block == 0) {
        return pointer.offset != HEAP_OK ? python_fault(self, pointer.offset, what) : Py_NewRef(Py_None);
    }
    uint32_t has = heap_usable(&self->heap, pointer.block);
    return python_block(self->block_type, pointer.block, pointer.offset, has);
}

/* The handle of a Block, 0 of None. */
static bool handle_of(HeapObject *self, PyObject *block, uint32_t *handle) {
    *handle = 0;
    if (block == Py_None) {
        return true;
    }
    if (!Py_IS_TYPE(block, self->block_type)) {
        PyErr_Format(PyExc_TypeError, "a Block or None is wanted, not %R", block);
        return false;
    }
    *handle = (uint32_t)PyLong_AsUnsignedLongMask(PyStructSequence_GET_ITEM(block, 0));
    return !PyErr_Occurred();
}

bool python_to_bytes(PyObject *number, uint32_t *bytes) {
    unsigned long value = PyLong_AsUnsignedLong(number);
    if (value > UINT32_MAX && !PyErr_Occurred()) {
        PyErr_SetString(PyExc_OverflowError, "more than 32 bits hold");
    }
    *bytes = (uint32_t)value;
    return !PyErr_Occurred();
}

static PyObject *py_malloc(HeapObject *self, PyObject *number) {
    uint32_t bytes;
    if (!python_to_bytes(number, &bytes) || !usable(self)) {
        return NULL;
    }
    return block_of(self, heap_malloc(&self->heap, bytes), "malloc");
}

static PyObject *py_calloc(HeapObject *self, PyObject *args) {
    unsigned int count;
    unsigned int bytes;
    if (!PyArg_ParseTuple(args, "II", &count, &bytes) || !usable(self)) {
        return NULL;
    }
    return block_of(self, heap_calloc(&self->heap, count, bytes), "calloc");
}

static PyObject *py_aligned_alloc(HeapObject *self, PyObject *args) {
    unsigned int align;
    unsigned int bytes;
    if (!PyArg_ParseTuple(args, "II", &align, &bytes) || !usable(self)) {
        return NULL;
    }
    return block_of(self, heap_aligned_alloc(&self->heap, align, bytes), "aligned_alloc");
}

static PyObject *py_realloc(HeapObject *self, PyObject *args) {
    PyObject *block;
    unsigned int bytes;
    uint32_t handle;
    if (!PyArg_ParseTuple(args, "OI", &block, &bytes) || !usable(self) || !handle_of(self, block, &handle)) {
        return NULL;
    }
    return block_of(self, heap_realloc(&self->heap, handle, bytes), "realloc");
}

static PyObject *py_free(HeapObject *self, PyObject *block) {
    uint32_t handle;
    if (!usable(self) || !handle_of(self, block, &handle)) {
        return NULL;
    }
    int error = heap_free(&self->heap, handle);
    return error != HEAP_OK ? python_fault(self, error, "free") : Py_NewRef(Py_None);
}

static PyObject *py_touch(HeapObject *self, PyObject *args) {
    PyObject *block;
    unsigned int from;
    unsigned int bytes;
    uint32_t handle;
    if (!PyArg_ParseTuple(args, "OII", &block, &from, &bytes) || !usable(self) || !handle_of(self, block, &handle)) {
        return NULL;
    }
    int error = heap_touch(&self->heap, handle, from, bytes);
    return error != HEAP_OK ? python_fault(self, error, "touch") : Py_NewRef(Py_None);
}

static PyObject *py_resident_pages(HeapObject *self, PyObject *Py_UNUSED(ignored)) {
    return usable(self) ? PyLong_FromUnsignedLong(route_resident_pages(&self->heap)) : NULL;
}

/* ---- Looking at it ---- */

enum { STATS_FIELDS = sizeof(struct heap_stats) / sizeof(uint32_t) };

static const char *const STATS_NAMES[STATS_FIELDS] = {
    "free",        "used",         "min_free",     "max_used",          "largest_free",      "largest_free_block",
    "used_blocks", "free_blocks",  "solo_headers", "free_with_headers", "used_with_headers", "max_used_with_headers",
    "brk_pages",   "mmap_pages",   "mappings",     "resident_brk",      "resident_mmap",     "brk_calls",
    "mmap_calls",  "munmap_calls", "mremap_calls", "madvise_calls",     "brk_failures",      "mmap_failures",
};

static PyObject *py_stats(HeapObject *self, PyObject *Py_UNUSED(ignored)) {
    if (!usable(self)) {
        return NULL;
    }
    union {
        struct heap_stats stats;
        uint32_t fields[STATS_FIELDS];
    } now;
    heap_stats(&self->heap, &now.stats);
    PyObject *tuple = PyTuple_New(STATS_FIELDS);
    for (int field = 0; tuple != NULL && field < STATS_FIELDS; field++) {
        PyObject *number = PyLong_FromUnsignedLong(now.fields[field]);
        if (number == NULL) {
            Py_CLEAR(tuple);
        } else {
            PyTuple_SET_ITEM(tuple, field, number);
        }
    }
    return tuple;
}

static int append_view(void *context, const struct heap_view *view) {
    PyObject *row =
        Py_BuildValue("(IiiIIO)", (unsigned int)view->block, (int)view->chunk, (int)view->pointer,
                      (unsigned int)view->chunk_bytes, (unsigned int)view->usable, view->used ? Py_True : Py_False);
    int result = row == NULL ? -1 : PyList_Append(context, row);
    Py_XDECREF(row);
    return result;
}

static PyObject *py_walk(HeapObject *self, PyObject *Py_UNUSED(ignored)) {
    if (!usable(self)) {
        return NULL;
    }
    PyObject *rows = PyList_New(0);
    if (rows != NULL && heap_walk(&self->heap, append_view, rows) != 0) {
        Py_CLEAR(rows);
    }
    return rows;
}

static PyObject *py_check(HeapObject *self, PyObject *Py_UNUSED(ignored)) {
    return usable(self) ? PyLong_FromLong(heap_check(&self->heap)) : NULL;
}

static PyObject *py_metadata_bytes(HeapObject *self, PyObject *Py_UNUSED(ignored)) {
    return usable(self) ? PyLong_FromSize_t(heap_metadata_bytes(&self->heap)) : NULL;
}

/* ---- Replay ---- */

/* The columns in the order of the arguments. */
enum { KIND, ID, A, B, SLOTS, OFFSETS, STATS, PAGES, COLUMNS };

static const struct {
    const char *name;
    size_t item; /* bytes of one row */
    bool written, optional;
} COLUMN[COLUMNS] = {
    [KIND] = {"kind", 1, false, false},
    [ID] = {"id", 4, false, false},
    [A] = {"a", 4, false, false},
    [B] = {"b", 4, false, false},
    [SLOTS] = {"slots", 4, true, false},
    [OFFSETS] = {"offsets", 4, true, true},
    [STATS] = {"stats", sizeof(struct heap_stats), true, true},
    [PAGES] = {"pages", sizeof(struct replay_page_change), true, true},
};

static void release(Py_buffer *views) {
    for (int column = 0; column < COLUMNS; column++) {
        if (views[column].obj != NULL) {
            PyBuffer_Release(&views[column]);
        }
    }
}

static bool acquire(PyObject **objects, Py_buffer *views) {
    for (int column = 0; column < COLUMNS; column++) {
        if (objects[column] == Py_None && COLUMN[column].optional) {
            continue;
        }
        int flags = COLUMN[column].written ? PyBUF_WRITABLE | PyBUF_C_CONTIGUOUS : PyBUF_C_CONTIGUOUS;
        if (PyObject_GetBuffer(objects[column], &views[column], flags) != 0) {
            return false;
        }
    }
    return true;
}

static size_t rows(const Py_buffer *views, int column) {
    return (size_t)views[column].len / COLUMN[column].item;
}

/* Each column is long enough for what the replay reads and writes there. */
static bool long_enough(const Py_buffer *views, uint32_t stats_every) {
    size_t count = rows(views, KIND);
    size_t stats = stats_every == 0 ? 0 : count / stats_every + 1;
    const size_t need[COLUMNS] = {
        [ID] = count, [A] = count, [B] = count, [OFFSETS] = count, [STATS] = stats, [PAGES] = count};
    for (int column = 0; column < COLUMNS; column++) {
        if (views[column].obj != NULL && rows(views, column) < need[column]) {
            PyErr_Format(PyExc_ValueError, "column %s has %zu rows, %zu are needed", COLUMN[column].name,
                         rows(views, column), need[column]);
            return false;
        }
    }
    return true;
}

static PyObject *run(HeapObject *self, struct replay *replay) {
    int error;
    self->busy = true;
    Py_BEGIN_ALLOW_THREADS;
    error = replay_run(&self->heap, replay);
    Py_END_ALLOW_THREADS;
    self->busy = false;
    return Py_BuildValue("(innnnn)", error, (Py_ssize_t)replay->done, (Py_ssize_t)replay->stats_count,
                         (Py_ssize_t)replay->pages_count, (Py_ssize_t)replay->failed, (Py_ssize_t)replay->double_frees);
}

static PyObject *py_replay(HeapObject *self, PyObject *args) {
    PyObject *objects[COLUMNS];
    unsigned int stats_every;
    int touch;
    int strict;
    if (!PyArg_ParseTuple(args, "OOOOOOOOIpp", &objects[KIND], &objects[ID], &objects[A], &objects[B], &objects[SLOTS],
                          &objects[OFFSETS], &objects[STATS], &objects[PAGES], &stats_every, &touch, &strict) ||
        !usable(self)) {
        return NULL;
    }
    Py_buffer views[COLUMNS] = {0};
    PyObject *result = NULL;
    if (acquire(objects, views) && long_enough(views, stats_every)) {
        struct replay replay = {
            .kind = views[KIND].buf,
            .id = views[ID].buf,
            .a = views[A].buf,
            .b = views[B].buf,
            .count = rows(views, KIND),
            .slots = views[SLOTS].buf,
            .ids = (uint32_t)rows(views, SLOTS),
            .touch = touch != 0,
            .strict = strict != 0,
            .offsets = views[OFFSETS].buf,
            .stats_every = stats_every,
            .stats = views[STATS].buf,
            .pages = views[PAGES].buf,
        };
        result = run(self, &replay);
    }
    release(views);
    return result;
}

/* ---- Many heaps at once ---- */

/* The columns of a run over many heaps, in the order of the arguments; the last three have a row a heap. */
enum { ALL_KIND, ALL_ID, ALL_A, ALL_SLOTS, ALL_STATS, ALL_COLUMNS };

struct many {
    PyObject **heaps;
    size_t count;
    size_t done; /* heaps that went through; the index of the one at fault */
    size_t ids;
    struct replay replay; /* columns of the first heap */
};

static HeapObject *heap_at(const struct many *many, size_t index) {
    return (HeapObject *)many->heaps[index];
}

static int run_many(struct many *many) {
    int error = HEAP_OK;
    for (many->done = 0; many->done < many->count && error == HEAP_OK; many->done++) {
        struct replay replay = many->replay;
        replay.a += many->done * replay.count;
        replay.slots += many->done * many->ids;
        replay.stats += many->done;
        error = replay_run(&heap_at(many, many->done)->heap, &replay);
        many->replay.done = replay.done;
    }
    many->done -= error != HEAP_OK;
    return error;
}

/* Marks each heap as busy, so that one that stands there twice is refused as well. */
static bool occupy(struct many *many) {
    for (many->done = 0; many->done < many->count; many->done++) {
        if (!usable(heap_at(many, many->done))) {
            return false;
        }
        heap_at(many, many->done)->busy = true;
    }
    return true;
}

static void release_heaps(struct many *many, size_t occupied) {
    for (size_t index = 0; index < occupied; index++) {
        heap_at(many, index)->busy = false;
    }
}

static bool many_fit(const Py_buffer *views, size_t heaps, size_t *ids) {
    size_t count = (size_t)views[ALL_KIND].len;
    size_t slots = (size_t)views[ALL_SLOTS].len / sizeof(uint32_t);
    *ids = heaps == 0 ? 0 : slots / heaps;
    bool fit = (size_t)views[ALL_ID].len == count * sizeof(uint32_t) &&
               (size_t)views[ALL_A].len == heaps * count * sizeof(uint32_t) && slots == heaps * *ids &&
               (size_t)views[ALL_STATS].len == heaps * sizeof(struct heap_stats) && count > 0 && count <= UINT32_MAX &&
               *ids <= UINT32_MAX;
    if (!fit) {
        PyErr_SetString(PyExc_ValueError, "the columns do not fit each other and the number of heaps");
    }
    return fit;
}

static PyObject *run_all_on(struct many *many, const Py_buffer *views) {
    int error = HEAP_OK;
    size_t count = (size_t)views[ALL_KIND].len;
    many->replay = (struct replay){
        .kind = views[ALL_KIND].buf,
        .id = views[ALL_ID].buf,
        .a = views[ALL_A].buf,
        .b = views[ALL_A].buf, /* no operation of such a run reads it */
        .count = count,
        .slots = views[ALL_SLOTS].buf,
        .ids = (uint32_t)many->ids,
        .strict = true,
        .stats_every = (uint32_t)count,
        .stats = views[ALL_STATS].buf,
    };
    bool occupied = occupy(many);
    size_t marked = many->done;
    if (occupied) {
        Py_BEGIN_ALLOW_THREADS;
        error = run_many(many);
        Py_END_ALLOW_THREADS;
    }
    release_heaps(many, marked);
    return occupied ? Py_BuildValue("(inn)", error, (Py_ssize_t)many->done, (Py_ssize_t)many->replay.done) : NULL;
}

static bool all_are_heaps(PyObject *tuple, PyTypeObject *type) {
    for (Py_ssize_t index = 0; index < PyTuple_GET_SIZE(tuple); index++) {
        if (!PyObject_TypeCheck(PyTuple_GET_ITEM(tuple, index), type)) {
            PyErr_SetString(PyExc_TypeError, "run_all takes a tuple of heaps of this type");
            return false;
        }
    }
    return true;
}

static PyObject *py_run_all(PyObject *type, PyObject *args) {
    PyObject *heaps;
    PyObject *objects[ALL_COLUMNS];
    if (!PyArg_ParseTuple(args, "O!OOOOO", &PyTuple_Type, &heaps, &objects[ALL_KIND], &objects[ALL_ID], &objects[ALL_A],
                          &objects[ALL_SLOTS], &objects[ALL_STATS]) ||
        !all_are_heaps(heaps, (PyTypeObject *)type)) {
        return NULL;
    }
    Py_buffer views[ALL_COLUMNS] = {0};
    bool acquired = true;
    for (int column = 0; column < ALL_COLUMNS && acquired; column++) {
        int flags = column >= ALL_SLOTS ? PyBUF_WRITABLE | PyBUF_C_CONTIGUOUS : PyBUF_C_CONTIGUOUS;
        acquired = PyObject_GetBuffer(objects[column], &views[column], flags) == 0;
    }
    PyObject *result = NULL;
    struct many many = {.heaps = ((PyTupleObject *)heaps)->ob_item, .count = (size_t)PyTuple_GET_SIZE(heaps)};
    if (acquired && many_fit(views, many.count, &many.ids)) {
        result = run_all_on(&many, views);
    }
    for (int column = 0; column < ALL_COLUMNS; column++) {
        if (views[column].obj != NULL) {
            PyBuffer_Release(&views[column]);
        }
    }
    return result;
}

/* ---- The module ---- */

static PyMethodDef heap_methods[] = {
    {"malloc", (PyCFunction)py_malloc, METH_O, "Allocate that many bytes; None where the device gets NULL."},
    {"calloc", (PyCFunction)py_calloc, METH_VARARGS,
     "Allocate `count` times `size` bytes; None where the device gets NULL."},
    {"aligned_alloc", (PyCFunction)py_aligned_alloc, METH_VARARGS,
     "aligned_alloc(align, size): at an address that is a multiple of `align`, a power of two."},
    {"realloc", (PyCFunction)py_realloc, METH_VARARGS,
     "realloc(block, size): resize a block, or allocate one. None leaves `block` as it was, but size 0 frees it (not "
     "with musl)."},
    {"free", (PyCFunction)py_free, METH_O,
     "Free a block; None is free(NULL). Raises HeapError for a block that is not in use."},
    {"touch", (PyCFunction)py_touch, METH_VARARGS,
     "touch(block, start, size): the program writes these bytes; with musl their pages become resident."},
    {"resident_pages", (PyCFunction)py_resident_pages, METH_NOARGS,
     "musl's pages that were written to and not given back."},
    {"counts", (PyCFunction)py_stats, METH_NOARGS, "counts() -> one int for each of STATS_NAMES"},
    {"walk", (PyCFunction)py_walk, METH_NOARGS, "walk() -> [(block, chunk, pointer, chunk_bytes, usable, used)]"},
    {"broken", (PyCFunction)py_check, METH_NOARGS, "broken() -> 0 or the broken invariant"},
    {"metadata_bytes", (PyCFunction)py_metadata_bytes, METH_NOARGS,
     "Host bytes behind this heap, records in reserve included."},
    {"replay", (PyCFunction)py_replay, METH_VARARGS,
     "replay(kind, id, a, b, slots, offsets, stats, pages, stats_every, touch, strict)\n"
     "-> (error, done, stats rows, pages rows, failed, double frees)"},
    {"run_all", py_run_all, METH_VARARGS | METH_CLASS,
     "run_all(heaps, kind, id, a, slots, stats) -> (error, heap, operation): the same operations on many heaps"},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot heap_slots[] = {
    {Py_tp_init, heap_init},
    {Py_tp_dealloc, heap_dealloc},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_methods, heap_methods},
    {Py_tp_doc, "Heap(allocator, size, base=0, max_request=0, total_limit=0, brk_limit=0)"},
    {0, NULL},
};

static PyType_Spec heap_spec = {
    .name = "emulators._core.Heap",
    .basicsize = sizeof(HeapObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = heap_slots,
};

static PyObject *error_text(PyObject *Py_UNUSED(module), PyObject *args) {
    int error;
    return PyArg_ParseTuple(args, "i", &error) ? PyUnicode_FromString(heap_error_text(error)) : NULL;
}

static PyMethodDef module_methods[] = {
    {"error_text", error_text, METH_VARARGS, "error_text(error) -> one clause"},
    {NULL, NULL, 0, NULL},
};

static PyObject *names(const char *const *texts, int count) {
    PyObject *tuple = PyTuple_New(count);
    for (int index = 0; tuple != NULL && index < count; index++) {
        PyObject *text = PyUnicode_FromString(texts[index]);
        if (text == NULL) {
            Py_CLEAR(tuple);
        } else {
            PyTuple_SET_ITEM(tuple, index, text);
        }
    }
    return tuple;
}

static PyObject *allocator_names(void) {
    const char *texts[HEAP_ALLOCATORS];
    for (int index = 0; index < HEAP_ALLOCATORS; index++) {
        texts[index] = heap_allocator_name((enum heap_allocator)index);
    }
    return names(texts, HEAP_ALLOCATORS);
}

/* Adds a new reference under a name; false with an exception set when either is missing. */
static bool add(PyObject *module, const char *name, PyObject *value) {
    bool added = value != NULL && PyModule_AddObjectRef(module, name, value) == 0;
    Py_XDECREF(value);
    return added;
}

/* The same of a type, of which the module keeps a reference of its own. */
static bool add_type(PyObject *module, const char *name, PyTypeObject **kept, PyObject *type) {
    *kept = (PyTypeObject *)type;
    return type != NULL && add(module, name, Py_NewRef(type));
}

static PyStructSequence_Field block_fields[] = {
    {"handle", "names the block to its heap"},
    {"offset", "its address relative to the start of the heap; musl: to the first break, or below 0 to the top of the "
               "mmap area"},
    {"usable", "bytes that it really has"},
    {NULL, NULL},
};

static PyStructSequence_Desc block_description = {
    .name = "emulators._core.Block",
    .doc = "A block in use.",
    .fields = block_fields,
    .n_in_sequence = 3,
};

static int module_exec(PyObject *module) {
    struct types *types = PyModule_GetState(module);
    const struct {
        const char *name;
        PyTypeObject **kept;
        PyType_Spec *spec;
    } made[] = {
        {"Heap", &types->heap, &heap_spec},           {"Chance", &types->chance, &python_chance_spec},
        {"Route", &types->route, &python_route_spec}, {"Allocation", &types->allocation, &python_allocation_spec},
        {"Churn", &types->churn, &python_churn_spec}, {"Schedule", &types->schedule, &python_schedule_spec},
    };
    bool done = add_type(module, "Block", &types->block, (PyObject *)PyStructSequence_NewType(&block_description));
    for (size_t index = 0; done && index < sizeof made / sizeof *made; index++) {
        PyObject *type = PyType_FromModuleAndSpec(module, made[index].spec, NULL);
        done = add_type(module, made[index].name, made[index].kept, type);
    }
    done = done && add(module, "ALLOCATORS", allocator_names()) &&
           add(module, "STATS_NAMES", names(STATS_NAMES, STATS_FIELDS));
    return done ? 0 : -1;
}

static int module_clear(PyObject *module) {
    struct types *types = PyModule_GetState(module);
    Py_CLEAR(types->heap);
    Py_CLEAR(types->block);
    Py_CLEAR(types->chance);
    Py_CLEAR(types->route);
    Py_CLEAR(types->allocation);
    Py_CLEAR(types->churn);
    Py_CLEAR(types->schedule);
    return 0;
}

static int module_traverse(PyObject *module, visitproc visit, void *arg) {
    struct types *types = PyModule_GetState(module);
    Py_VISIT(types->heap);
    Py_VISIT(types->block);
    Py_VISIT(types->chance);
    Py_VISIT(types->route);
    Py_VISIT(types->allocation);
    Py_VISIT(types->churn);
    Py_VISIT(types->schedule);
    return 0;
}

static void module_free(void *module) {
    module_clear(module);
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "emulators._core",
    .m_doc = "Exact emulations of embedded heaps; use emulators.heap.",
    .m_size = sizeof(struct types),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

struct types *python_types(PyTypeObject *type) {
    PyObject *module = PyType_GetModuleByDef(type, &module_definition);
    return module == NULL ? NULL : PyModule_GetState(module);
}

PyMODINIT_FUNC PyInit__core(void) {
    return PyModuleDef_Init(&module_definition);
}
