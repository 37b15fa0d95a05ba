# cython: language_level=3, boundscheck=False, wraparound=False
"""The short way of a statement that was judged, compiled; `lane.py` says what it does."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport memchr, memcmp

import orjson

from proctor.model import Allow
from proctor.postgres.back import affected
from proctor.postgres.statements import MAX_NAMED, Batch, Portal
from proctor.protocols.postgres._scan import answered, bound
from proctor.protocols.postgres.messages import SYNC, Front, write_execute, write_named
from proctor.protocols.postgres.pipeline import Expected
from proctor.postgres.refusals import HARMLESS

cdef bytes EXECUTED = write_execute(b"") + SYNC
cdef bytes DESCRIBED = write_named(Front.DESCRIBE, ord("P"), b"") + EXECUTED
cdef int LONGEST = HARMLESS


cdef inline bint ends(bytes data, Py_ssize_t at, bytes end) noexcept:
    """Whether from `at` on this stands there, and nothing else."""
    return PyBytes_GET_SIZE(data) - at == PyBytes_GET_SIZE(end) and not memcmp(
        PyBytes_AS_STRING(data) + at, PyBytes_AS_STRING(end), PyBytes_GET_SIZE(end)
    )


cdef inline Py_ssize_t ended(bytes data) noexcept:
    """Where the first message ends, as it says."""
    cdef const unsigned char *at = <const unsigned char *>PyBytes_AS_STRING(data)
    return 1 + (
        (<Py_ssize_t>at[1] << 24) | (<Py_ssize_t>at[2] << 16) | (<Py_ssize_t>at[3] << 8) | at[4]
    )


cdef class Lane:
    """Of one connection, in which no rows are masked or looked at."""

    cdef object _state, _pipe, _record, _end, _admitted, _tainted, _run
    cdef object _portal, _batch, _short, _long, _alone
    cdef Py_ssize_t _limit
    cdef bint _screened, _described, _query

    def __init__(self, state, record, *, end, admitted, limit, screened, tainted):
        self._state = state
        self._pipe = state.pipe
        self._record = record
        self._end = end
        self._admitted = admitted
        self._screened = screened
        self._tainted = tainted
        self._limit = limit
        self._run = None
        self._described = self._query = False
        # Used again each time: the pipe is empty whenever they are put there.
        self._portal = portal = Portal(name=b"", run=None)
        self._batch = Batch(())
        bind, sync = Expected(Front.BIND, portal), Expected(Front.SYNC)
        describe, execute = Expected(Front.DESCRIBE, portal), Expected(Front.EXECUTE, portal)
        self._long, self._short = (bind, describe, execute, sync), (bind, execute, sync)
        self._alone = (Expected(Front.QUERY, self._batch),)

    def leave(self):
        """Somebody else goes on with what is under way."""
        self._run = None

    def ask(self, bytes data):
        """Take what a client says; None: it is not for this way, and nothing was done."""
        cdef unsigned char kind
        if not 5 <= PyBytes_GET_SIZE(data) <= self._limit or not self._free():
            return None
        kind = PyBytes_AS_STRING(data)[0]
        if kind == 66:  # B
            return self._bound(data)
        if kind == 81:  # Q
            return self._queried(data)
        return None

    def answer(self, bytes data):
        """Take what the server says; False: it is not for this way, and nothing was done."""
        cdef int kind
        cdef bint was_bound
        cdef Py_ssize_t count
        run = self._run
        if run is None or PyBytes_GET_SIZE(data) > self._limit:
            return False
        found = answered(data)
        if found is None:
            return False
        was_bound, kind, description, rows, count, tag, status = found
        if was_bound is self._query or status != self._pipe.status:
            return False
        if self._query:
            if not (kind == 84 or (not kind and not count)):  # T
                return False
        elif (kind != 0) is not self._described or (kind == 110 and count):  # n
            return False
        self._run = None
        self._pipe.clear()
        run.description = description
        if count:
            self._record.saw(run, rows, count)
        else:
            run.rows = affected(tag) or 0
        self._end(run)
        if status == b"I":
            self._state.portals.clear()
        return True

    cdef bint _free(self) except -1:
        """Whether nothing is under way, half undone, or still to be read from."""
        cdef dict portals
        state, pipe = self._state, self._pipe
        if len(pipe) or pipe.skipping or pipe.taking or pipe.doubtful:
            return False
        if state.unsettled or state.moved or state.changed:
            return False
        portals = state.portals
        if not portals:
            return True
        old = portals.get(b"")
        if old is not None and old.run is not None and not old.run.ended:
            return False
        return pipe.status != b"I" and len(portals) < MAX_NAMED

    cdef object _bound(self, bytes data):
        cdef Py_ssize_t end = ended(data)
        cdef bint described = ends(data, end, DESCRIBED)
        cdef bint long = False
        cdef list parts, texts
        if end < 5 or not (described or ends(data, end, EXECUTED)):
            return None
        found = bound(data[5:end])
        if found is None or found[0]:
            return None
        prepared = self._state.prepared.get(found[1])
        if prepared is None:
            return None
        judged = self._state.known(prepared.text, prepared.types, standard=True)
        alike = self._alike(judged)
        if alike is None:
            return None
        digest, parameters, results = judged.ruling.digests[0], b"", found[4]
        if found[3]:
            hashers = judged.hashers
            if not hashers:
                return None
            parts, texts = [], []
            if not self._read(found[2], found[3], parts, texts):
                return None
            if self._tainted(parts):
                return None
            state = hashers[0].copy()
            state.update(b"".join(parts))
            digest, parameters = state.hexdigest(), orjson.dumps(texts)
        run, durable = self._record.again(
            judged.statements[0], alike[0], alike[1], digest, parameters, results
        )
        self._portal.run = run
        self._state.portals[b""] = self._portal
        self._pipe.begun(self._long if described else self._short)
        self._run, self._described, self._query = run, described, False
        return durable

    cdef bint _read(self, tuple formats, tuple values, list parts, list texts) except -1:
        """Parameters as parts of a digest and as texts; False: something may be found in them."""
        cdef Py_ssize_t at, count = len(formats)
        cdef int kind
        encoding = self._state.encoding
        for at in range(len(values)):
            value = values[at]
            if value is None:
                parts.append(b"-")
                texts.append(None)
                continue
            if self._screened and PyBytes_GET_SIZE(value) > LONGEST:
                return False
            kind = 0
            if count:
                kind = formats[0] if count == 1 else formats[at] if at < count else 0
            parts.append(b"%d:%d:" % (kind, PyBytes_GET_SIZE(value)))
            parts.append(value)
            texts.append(
                f"\\x{value.hex()}" if kind else value.decode(encoding, "backslashreplace")
            )
        return True

    cdef object _queried(self, bytes data):
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
        cdef const char *source = PyBytes_AS_STRING(data)
        if size < 6 or ended(data) != size or memchr(source + 5, 0, size - 5) != source + size - 1:
            return None
        judged = self._state.known(data[5 : size - 1])
        alike = self._alike(judged)
        if alike is None or judged.inserted:
            return None
        run, durable = self._record.again(
            judged.statements[0], alike[0], alike[1], judged.ruling.digests[0], b"", ()
        )
        self._batch.runs, self._batch.at = (run,), 0
        self._pipe.begun(self._alone)
        self._run, self._query = run, True
        return durable

    cdef object _alike(self, judged):
        """What is said of it each time, where nothing else is to be said."""
        if judged is None:
            return None
        ruling = judged.ruling
        if judged.error is not None or ruling is None or len(judged.statements) != 1:
            return None
        if not judged.steady or not isinstance(ruling.verdict, Allow):
            return None
        found = self._record.alike(judged)
        if found is None or not found[0].plain or self._admitted() is not None:
            return None
        return found
