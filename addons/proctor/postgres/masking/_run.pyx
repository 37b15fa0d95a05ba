# cython: language_level=3, boundscheck=False, wraparound=False
"""The loop over rows, compiled; `rows.py` says what it does, and has it in Python, too."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy


cdef inline long long number(const unsigned char *at) noexcept nogil:
    return <int>(
        (<unsigned int>at[0] << 24) | (<unsigned int>at[1] << 16)
        | (<unsigned int>at[2] << 8) | <unsigned int>at[3]
    )


cdef inline void write(unsigned char *at, unsigned int value) noexcept nogil:
    at[0] = (value >> 24) & 0xFF
    at[1] = (value >> 16) & 0xFF
    at[2] = (value >> 8) & 0xFF
    at[3] = value & 0xFF


def run(bytes data, int count, tuple changes, tuple constants):
    """Several whole DataRow messages, masked; None where they do not fit.

    Args:
        data: The messages.
        count: Columns of each.
        changes: By column, what makes another value of it; None for what stays.
        constants: By column, length and value that are always the same; None where there are none.
    """
    cdef const unsigned char *source = <const unsigned char *>PyBytes_AS_STRING(data)
    cdef Py_ssize_t total = PyBytes_GET_SIZE(data)
    cdef Py_ssize_t room = total + total // 4 + 64
    cdef Py_ssize_t at = 0, end, field, stop, copied, used = 0, head, grown
    cdef long long size
    cdef int column, columns = len(changes)
    cdef bytes new
    cdef unsigned char *target = <unsigned char *>malloc(room)
    cdef unsigned char *larger
    if target == NULL:
        raise MemoryError
    try:
        while at < total:
            if total - at < 7 or source[at] != 68:
                return None
            end = at + 1 + number(source + at + 1)
            if end > total or end < at + 7 or ((source[at + 5] << 8) | source[at + 6]) != count:
                return None
            head = used
            copied = at
            field = at + 7
            for column in range(columns):
                if end - field < 4:
                    return None
                size = number(source + field)
                if size < 0:
                    field += 4
                    continue
                stop = field + 4 + size
                if stop > end:
                    return None
                if changes[column] is not None:
                    new = constants[column]
                    if new is None:
                        new = changes[column](data[field + 4 : stop])
                        new = NULL_VALUE if new is None else SIZE.pack(len(new)) + new
                    grown = used + (field - copied) + PyBytes_GET_SIZE(new) + (total - stop)
                    if grown > room:
                        room = grown + grown // 2
                        larger = <unsigned char *>realloc(target, room)
                        if larger == NULL:
                            raise MemoryError
                        target = larger
                    memcpy(target + used, source + copied, field - copied)
                    used += field - copied
                    memcpy(target + used, PyBytes_AS_STRING(new), PyBytes_GET_SIZE(new))
                    used += PyBytes_GET_SIZE(new)
                    copied = stop
                field = stop
            memcpy(target + used, source + copied, end - copied)
            used += end - copied
            write(target + head + 1, <unsigned int>(used - head - 1))
            at = end
        return PyBytes_FromStringAndSize(<char *>target, used)
    finally:
        free(target)


from struct import Struct

SIZE = Struct("!i")
NULL_VALUE = SIZE.pack(-1)
