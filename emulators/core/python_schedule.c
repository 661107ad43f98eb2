/* emulators._core.Schedule: the tasks of one boot in the order in which they wake. */
#include "python.h"

#include <stdlib.h>

struct entry {
    int64_t wake_ms;
    uint64_t number; /* in the order of their starts, which is also that of the entries */
    PyObject *name;
    PyObject *code; /* an iterator of milliseconds to sleep, or a Churn */
};

typedef struct {
    PyObject_HEAD PyObject *world;
    struct entry *entries; /* a handful, so that looking through them all is quick */
    size_t count, capacity;
    uint64_t started;
} ScheduleObject;

static int schedule_init(ScheduleObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"world", NULL};
    PyObject *world;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O", names, &world)) {
        return -1;
    }
    Py_XSETREF(self->world, Py_NewRef(world));
    return 0;
}

static int schedule_traverse(ScheduleObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->world);
    for (size_t index = 0; index < self->count; index++) {
        Py_VISIT(self->entries[index].name);
        Py_VISIT(self->entries[index].code);
    }
    return 0;
}

static int schedule_clear(ScheduleObject *self) {
    Py_CLEAR(self->world);
    while (self->count > 0) {
        struct entry entry = self->entries[--self->count];
        Py_DECREF(entry.name);
        Py_DECREF(entry.code);
    }
    return 0;
}

static void schedule_dealloc(ScheduleObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    schedule_clear(self);
    free(self->entries);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

/* ---- Starting and ending tasks ---- */

static bool make_room(ScheduleObject *self) {
    if (self->count < self->capacity) {
        return true;
    }
    size_t capacity = self->capacity + self->capacity / 2 + 4;
    struct entry *entries = realloc(self->entries, capacity * sizeof *entries);
    if (entries == NULL) {
        PyErr_NoMemory();
        return false;
    }
    self->entries = entries;
    self->capacity = capacity;
    return true;
}

static PyObject *py_add(ScheduleObject *self, PyObject *args) {
    PyObject *name;
    PyObject *code;
    long long wake_ms;
    const struct types *types = python_types(Py_TYPE(self));
    if (types == NULL || !PyArg_ParseTuple(args, "UOL", &name, &code, &wake_ms)) {
        return NULL;
    }
    if (!Py_IS_TYPE(code, types->churn) && !PyIter_Check(code)) {
        PyErr_Format(PyExc_TypeError, "a task's code is an iterator or a Churn, not %R", code);
        return NULL;
    }
    if (!make_room(self)) {
        return NULL;
    }
    self->entries[self->count++] = (struct entry){wake_ms, self->started++, Py_NewRef(name), Py_NewRef(code)};
    Py_RETURN_NONE;
}

static PyObject *py_remove(ScheduleObject *self, PyObject *name) {
    for (size_t index = self->count; index-- > 0;) {
        const struct entry entry = self->entries[index];
        int same = PyObject_RichCompareBool(entry.name, name, Py_EQ);
        if (same < 0) {
            return NULL;
        }
        if (same != 0) {
            self->count--;
            for (size_t later = index; later < self->count; later++) {
                self->entries[later] = self->entries[later + 1];
            }
            Py_DECREF(entry.name);
            Py_DECREF(entry.code);
        }
    }
    Py_RETURN_NONE;
}

/* ---- Taking steps ---- */

/* Whose turn it is: of those that wake first, who was started first. */
static size_t first_of(const ScheduleObject *self) {
    size_t first = 0;
    for (size_t index = 1; index < self->count; index++) {
        first = self->entries[index].wake_ms < self->entries[first].wake_ms ? index : first;
    }
    return first;
}

/* The last moment, not beyond `until_ms`, at which it is still that one's turn. */
static int64_t last_turn(const ScheduleObject *self, size_t first, int64_t until_ms) {
    for (size_t index = 0; index < self->count; index++) {
        int64_t turn_ms = self->entries[index].wake_ms - (index < first ? 1 : 0);
        until_ms = index != first && turn_ms < until_ms ? turn_ms : until_ms;
    }
    return until_ms;
}

static bool set_uptime(ScheduleObject *self, int64_t uptime_ms) {
    PyObject *number = PyLong_FromLongLong(uptime_ms);
    int error = number == NULL ? -1 : PyObject_SetAttrString(self->world, "uptime_ms", number);
    Py_XDECREF(number);
    return error == 0;
}

/* Steps of a Churn; moves *wake_ms. The world is told of what happened in the last one: it may raise. */
static bool run_churn(ScheduleObject *self, const struct entry *task, int64_t until_ms, int64_t *wake_ms) {
    ChurnObject *object = (ChurnObject *)task->code;
    const struct churn *churn = &object->churn;
    enum churn_end end = python_churn_run(object, wake_ms, until_ms);
    if (end == CHURN_ASLEEP) {
        return true;
    }
    if (end == CHURN_FAULT) {
        if (!PyErr_Occurred()) {
            PyErr_NoMemory();
        }
        return false;
    }
    PyObject *done = NULL;
    if (set_uptime(self, *wake_ms)) {
        done = PyObject_CallMethod(self->world, "churned", "OIIO", task->name, (unsigned int)churn->refused,
                                   (unsigned int)churn->deepest, end == CHURN_KILLED ? Py_True : Py_False);
    }
    *wake_ms += churn->every_ms;
    Py_XDECREF(done);
    return done != NULL;
}

/* One step of an iterator; moves *wake_ms, or ends the task. */
static bool run_step(ScheduleObject *self, const struct entry *task, int64_t *wake_ms) {
    if (!set_uptime(self, *wake_ms)) {
        return false;
    }
    PyObject *sleep = PyIter_Next(task->code);
    if (sleep == NULL) {
        PyObject *done = PyErr_Occurred() ? NULL : PyObject_CallMethod(self->world, "delete", "O", task->name);
        Py_XDECREF(done);
        return done != NULL;
    }
    long long sleep_ms = PyLong_AsLongLong(sleep);
    Py_DECREF(sleep);
    *wake_ms += sleep_ms > 0 ? sleep_ms : 1;
    return !PyErr_Occurred();
}

static bool take_turn(ScheduleObject *self, size_t first, int64_t until_ms, const struct types *types) {
    const struct entry task = self->entries[first]; /* the entries may change while it runs */
    int64_t wake_ms = task.wake_ms;
    Py_INCREF(task.name);
    Py_INCREF(task.code);
    bool done = Py_IS_TYPE(task.code, types->churn) ? run_churn(self, &task, last_turn(self, first, until_ms), &wake_ms)
                                                    : run_step(self, &task, &wake_ms);
    for (size_t index = 0; index < self->count; index++) {
        if (self->entries[index].number == task.number) {
            self->entries[index].wake_ms = wake_ms;
        }
    }
    Py_DECREF(task.name);
    Py_DECREF(task.code);
    return done;
}

static PyObject *py_run(ScheduleObject *self, PyObject *until) {
    int64_t until_ms = PyLong_AsLongLong(until);
    const struct types *types = python_types(Py_TYPE(self));
    if (types == NULL || PyErr_Occurred()) {
        return NULL;
    }
    while (self->count > 0) {
        size_t first = first_of(self);
        if (self->entries[first].wake_ms > until_ms) {
            break;
        }
        if (!take_turn(self, first, until_ms, types)) {
            return NULL;
        }
    }
    Py_RETURN_NONE;
}

static PyMethodDef schedule_methods[] = {
    {"add", (PyCFunction)py_add, METH_VARARGS, "add(name, code, wake_ms): a task starts"},
    {"remove", (PyCFunction)py_remove, METH_O, "remove(name): no task of that name goes on"},
    {"run", (PyCFunction)py_run, METH_O, "run(until_ms): all steps up to and with that moment of uptime"},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot schedule_slots[] = {
    {Py_tp_init, schedule_init},
    {Py_tp_dealloc, schedule_dealloc},
    {Py_tp_traverse, schedule_traverse},
    {Py_tp_clear, schedule_clear},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_methods, schedule_methods},
    {Py_tp_doc, "Schedule(world): sets world.uptime_ms at each step; calls world.delete(name) when a task ends, and\n"
                "world.churned(name, refused, deepest, killed) after a step of a Churn in which something happened"},
    {0, NULL},
};

PyType_Spec python_schedule_spec = {
    .name = "emulators._core.Schedule",
    .basicsize = sizeof(ScheduleObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = schedule_slots,
};
