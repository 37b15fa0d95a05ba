# cython: language_level=3, boundscheck=False, wraparound=False
"""Lines of the record, put together in C; `lines.py` says what they are."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.math cimport floor, rint
from libc.stdio cimport snprintf
from libc.string cimport memcpy
from libc.time cimport time_t, tm

from hashlib import sha256

cdef extern from "time.h":
    tm *gmtime_r(const time_t *, tm *) nogil


cdef inline char *put(char *at, bytes part) noexcept:
    memcpy(at, PyBytes_AS_STRING(part), PyBytes_GET_SIZE(part))
    return at + PyBytes_GET_SIZE(part)


cdef inline char *write(char *at, str part) except NULL:
    cdef Py_ssize_t size
    cdef const char *source = PyUnicode_AsUTF8AndSize(part, &size)
    memcpy(at, source, size)
    return at + size


def linked(str kind, bytes middle, long long seq, str prev, double seconds, bytes body):
    """An envelope as a line with its newline, and its leaf, as bytes and in hex."""
    cdef double micros = rint(seconds * 1e6), whole = floor(micros / 1e6)
    cdef time_t clock = <time_t>whole
    cdef tm utc
    cdef char counted[24]
    cdef char stamp[96]
    cdef int digits, length
    cdef Py_ssize_t rest = PyBytes_GET_SIZE(body) - 1, size
    cdef bytes line, hashed
    cdef char *at
    if rest < 1 or not (kind.isascii() and prev.isascii()):
        raise ValueError("an object has two braces at least, and names are ASCII")
    gmtime_r(&clock, &utc)
    digits = snprintf(counted, sizeof(counted), b"%lld", seq)
    length = snprintf(
        stamp, sizeof(stamp), b'","ts":"%04d-%02d-%02dT%02d:%02d:%02d.%06dZ"%s',
        utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
        <int>(micros - whole * 1e6), <const char *>(b"," if rest > 1 else b""),
    )
    size = 15 + len(kind) + PyBytes_GET_SIZE(middle) + digits + 9 + len(prev) + length + rest + 1
    line = PyBytes_FromStringAndSize(NULL, size)
    at = put(PyBytes_AS_STRING(line), b'{"v":1,"kind":"')
    at = put(write(at, kind), middle)
    memcpy(at, counted, digits)
    at = write(put(at + digits, b',"prev":"'), prev)
    memcpy(at, stamp, length)
    memcpy(at + length, PyBytes_AS_STRING(body) + 1, rest)
    at[length + rest] = b"\n"
    hashed = PyBytes_FromStringAndSize(NULL, size)
    PyBytes_AS_STRING(hashed)[0] = 0
    memcpy(PyBytes_AS_STRING(hashed) + 1, PyBytes_AS_STRING(line), size - 1)
    leaf = sha256(hashed)
    return line, leaf.digest(), leaf.hexdigest()
