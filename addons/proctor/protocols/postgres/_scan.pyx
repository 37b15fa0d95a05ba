# cython: language_level=3, boundscheck=False, wraparound=False
"""What is done with each message, compiled; `scanning.py` says what it does."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memchr


cdef inline unsigned long long number(const unsigned char *at) noexcept nogil:
    return (
        (<unsigned long long>at[0] << 24) | (<unsigned long long>at[1] << 16)
        | (<unsigned long long>at[2] << 8) | <unsigned long long>at[3]
    )


cdef inline int short(const unsigned char *at) noexcept nogil:
    return (at[0] << 8) | at[1]


def cut(type make, bytes data, bytes sorts, unsigned long long limit):
    """The whole messages at the beginning, and where what comes next begins."""
    cdef const unsigned char *source = <const unsigned char *>PyBytes_AS_STRING(data)
    cdef const unsigned char *sort = <const unsigned char *>PyBytes_AS_STRING(sorts)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data), at = 0, end
    cdef unsigned long long length
    cdef Py_ssize_t count
    cdef unsigned char kind
    cdef list found = []
    if PyBytes_GET_SIZE(sorts) != 256:
        raise ValueError("one byte for each kind")
    while size - at >= 5:
        kind = source[at]
        if not sort[kind]:
            break
        end = at
        count = 0
        while size - end >= 5 and source[end] == kind:
            length = number(source + end + 1)
            if length < 4 or length > <unsigned long long>(size - end - 1):
                break
            if length > limit and sort[kind] < 3:
                break
            end += 1 + <Py_ssize_t>length
            count += 1
            if sort[kind] == 1:
                break
        if not count:
            break
        found.append(
            tuple.__new__(
                make,
                (
                    kind,
                    PyBytes_FromStringAndSize(<const char *>source + at, end - at),
                    count,
                    True,
                ),
            )
        )
        at = end
    return found, at


def bound(bytes body):
    """The parts of a Bind, or None where it is none."""
    cdef const unsigned char *source = <const unsigned char *>PyBytes_AS_STRING(body)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(body), at, first, second
    cdef const unsigned char *zero = <const unsigned char *>memchr(source, 0, size)
    if zero == NULL:
        return None
    first = zero - source
    zero = <const unsigned char *>memchr(source + first + 1, 0, size - first - 1)
    if zero == NULL:
        return None
    second = zero - source
    at = second + 1
    formats = numbers(source, size, &at)
    if formats is None or size - at < 2:
        return None
    values = fields(source, size, &at)
    if values is None:
        return None
    results = numbers(source, size, &at)
    if results is None or at != size:
        return None
    return (body[:first], body[first + 1 : second], formats, tuple(values), results)


def row(bytes body):
    """The values of a DataRow, or None where it is none."""
    cdef const unsigned char *source = <const unsigned char *>PyBytes_AS_STRING(body)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(body), at = 0
    values = fields(source, size, &at)
    return values if values is not None and at == size else None


def answered(bytes data):
    """The whole answer to one statement that ended well, or None where this is none, or more."""
    cdef const unsigned char *source = <const unsigned char *>PyBytes_AS_STRING(data)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data), at = 0, end, first = -1, last = 0, count = 0
    cdef unsigned long long length
    cdef int order = 0, place, described = 0
    cdef bint bound = False
    cdef bytes description = b"", tag = b""
    cdef unsigned char kind
    while size - at >= 5:
        kind = source[at]
        if kind == 68:  # D
            place = 3
        elif kind == 50:  # 2
            place = 1
        elif kind == 84 or kind == 110:  # T, n
            place = 2
        elif kind == 67:  # C
            place = 4
        elif kind == 90:  # Z
            place = 5
        else:
            return None
        length = number(source + at + 1)
        if length < 4 or length > <unsigned long long>(size - at - 1):
            return None
        if not (order < place or (place == 3 and order == 3)):
            return None
        end = at + 1 + <Py_ssize_t>length
        if place == 5:
            if order != 4 or end != size or length != 5:
                return None
            if first < 0:
                first = 0
            return (
                bound, described, description, data[first:last], count, tag, data[size - 1 : size]
            )
        order = place
        if place == 3:
            if first < 0:
                first = at
            last = end
            count += 1
        elif place == 4:
            tag = data[at + 5 : end]
        elif place == 2:
            described = kind
            description = data[at + 5 : end]
        else:
            bound = True
        at = end
    return None


cdef tuple numbers(const unsigned char *source, Py_ssize_t size, Py_ssize_t *at):
    cdef int count, each
    cdef Py_ssize_t start
    if size - at[0] < 2:
        return None
    count = short(source + at[0])
    start = at[0] + 2
    if size - start < 2 * count:
        return None
    at[0] = start + 2 * count
    if not count:
        return ()
    return tuple([short(source + start + 2 * each) for each in range(count)])


cdef list fields(const unsigned char *source, Py_ssize_t size, Py_ssize_t *at):
    cdef int count
    cdef Py_ssize_t here = at[0]
    cdef long long length
    cdef list found = []
    if size - here < 2:
        return None
    count = short(source + here)
    here += 2
    for _ in range(count):
        if size - here < 4:
            return None
        length = <int>number(source + here)
        here += 4
        if length < 0:
            found.append(None)
            continue
        if length > size - here:
            return None
        found.append(PyBytes_FromStringAndSize(<const char *>source + here, <Py_ssize_t>length))
        here += <Py_ssize_t>length
    at[0] = here
    return found
