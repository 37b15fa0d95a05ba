# cython: language_level=3, boundscheck=False, wraparound=False
"""One pass over JSON, compiled; `walking.py` says what it does."""

from cpython.unicode cimport (
    PyUnicode_DATA,
    PyUnicode_GET_LENGTH,
    PyUnicode_KIND,
    PyUnicode_READ,
    PyUnicode_Substring,
)

from json.decoder import JSONDecodeError, scanstring

from proctor.protocols.jsonspan import MAX_DEPTH
from proctor.redaction.model import Leaf
from proctor.redaction.structure import layout as layouts
from proctor.redaction.structure.layout import Place, bounded, joined, too_many, within
from proctor.redaction.structure.names import shown
from proctor.redaction.structure.walking import (
    LABELLED,
    LABELS,
    MAX_LABEL,
    UnreadableError,
    encodes,
    halved,
    is_double,
    json_number,
    json_string,
    literal,
)

cdef Py_ssize_t DEEPEST = MAX_DEPTH, LONGEST_LABEL = MAX_LABEL
cdef object NAME = Place.NAME


cdef inline bint digit(Py_UCS4 sign) noexcept:
    return 48 <= sign <= 57


cdef inline bint opening(str value):
    """Whether it may be JSON itself."""
    return PyUnicode_GET_LENGTH(value) > 0 and value[0] in "{[ \t\n\r"


cdef class Walk:
    """One pass over a text."""

    cdef readonly str text
    cdef readonly Py_ssize_t at
    cdef Py_ssize_t _size, _most
    cdef int _kind
    cdef void *_data
    cdef bint _strict, _halves
    cdef object _layout, _holder, _exempt, _embedded, _step
    cdef list _slots, _leaves, _outer
    cdef dict _shown, _names
    cdef str _where, _label, _location, _key
    cdef tuple _parent
    cdef Py_UCS4 _closing
    cdef Py_ssize_t _index

    def __init__(self, layout, holder, *, strict, exempt, embedded):
        self.text = layout.text(holder)
        self.at = 0
        self._size = PyUnicode_GET_LENGTH(self.text)
        self._kind = PyUnicode_KIND(self.text)
        self._data = PyUnicode_DATA(self.text)
        self._layout = layout
        self._slots, self._leaves = layout.lists()
        self._most = layouts.MAX_LEAVES
        self._holder = holder
        self._strict = strict
        self._exempt = exempt
        self._embedded = embedded
        self._halves = strict and halved(self.text)
        self._shown = {}
        self._outer = []
        self._names = None
        self._where = self._label = self._location = self._key = ""
        self._parent = ()
        self._closing = 0
        self._index = 0
        self._step = Place.HERE

    def start(self, *, bint many):
        """Go to where the first value begins."""
        if self._char(0) == 0xFEFF and not self._strict:
            self.at = 1
        self._pass(many)

    def one(self, str location, tuple parent, step, str key):
        """Walk one value with all that is in it."""
        cdef bint opened
        self._location, self._parent, self._step, self._key = location, parent, step, key
        opened = self._value()
        while self._next(opened):
            opened = self._value()

    def blank(self, *, bint many=False):
        """Pass over what may stand between tokens."""
        self._pass(many)

    def unexpected(self):
        """The error for what should not stand here."""
        return UnreadableError(f"something else at character {self.at}")

    cdef inline Py_UCS4 _char(self, Py_ssize_t at) noexcept:
        return PyUnicode_READ(self._kind, self._data, at) if at < self._size else 0

    cdef inline Py_ssize_t _blanks(self, Py_ssize_t at) noexcept:
        """Where what is no blank stands."""
        cdef Py_UCS4 sign
        while at < self._size:
            sign = PyUnicode_READ(self._kind, self._data, at)
            if sign != 32 and sign != 10 and sign != 9 and sign != 13:
                break
            at += 1
        return at

    cdef inline void _pass(self, bint many) noexcept:
        self.at = self._blanks(self.at)
        while many and self._char(self.at) == 0x1E:
            self.at = self._blanks(self.at + 1)

    cdef inline Py_ssize_t _quote(self, Py_ssize_t at) noexcept:
        """Where a string ends that is written as it reads; -1 where it is not."""
        cdef Py_UCS4 sign
        while at < self._size:
            sign = PyUnicode_READ(self._kind, self._data, at)
            if sign == 34:  # "
                return at
            if sign == 92 or sign < 32:
                return -1
            at += 1
        return -1

    cdef bint _value(self) except -1:
        """Pass over a value, or into a container; whether it was a container."""
        cdef Py_UCS4 first = self._char(self.at)
        cdef Py_ssize_t end
        if first == 34:  # "
            self._text()
        elif first == 123 or first == 91:  # { [
            self._open(first == 123)
            return True
        elif (end := self._number(self.at)) >= 0:
            number = PyUnicode_Substring(self.text, self.at, end)
            if self._strict and not is_double(number):
                raise UnreadableError("a number too large for a double")
            self._add(number, self.at, end, json_number)
            self.at = end
        else:
            end = literal(self.text, self.at, strict=self._strict)
            if not end:
                raise self.unexpected()
            self.at += end
        return False

    cdef Py_ssize_t _number(self, Py_ssize_t at) noexcept:
        """Where a number ends; -1 where there is none."""
        cdef Py_ssize_t sign
        if self._char(at) == 45:  # -
            at += 1
        if self._char(at) == 48:
            at += 1
        elif digit(self._char(at)):
            at = self._digits(at)
        else:
            return -1
        if self._char(at) == 46 and digit(self._char(at + 1)):  # .
            at = self._digits(at + 1)
        if self._char(at) == 101 or self._char(at) == 69:  # e E
            sign = self._char(at + 1) == 43 or self._char(at + 1) == 45  # + -
            if digit(self._char(at + 1 + sign)):
                at = self._digits(at + 1 + sign)
        return at

    cdef inline Py_ssize_t _digits(self, Py_ssize_t at) noexcept:
        while digit(self._char(at)):
            at += 1
        return at

    cdef bint _next(self, bint opened) except -1:
        """Leave the containers that end here, and go to the next value; False if there is none."""
        cdef Py_UCS4 mark
        while self._outer:
            self.at = self._blanks(self.at)
            mark = self._char(self.at)
            if mark == self._closing:
                self._close()
                opened = False
            elif opened or mark == 44:  # ,
                if not opened:
                    self.at = self._blanks(self.at + 1)
                if self._names is None:
                    self._index += 1
                    self._step = self._index
                    self._location = f"{self._where}[{self._index}]"
                elif self._member():
                    opened = False
                    continue
                else:
                    self._name()
                return True
            else:
                raise self.unexpected()
        return False

    cdef bint _member(self) except -1:
        """Pass over a member that is a plain string, as most are; False where it is none."""
        cdef Py_ssize_t before = self.at + 1, middle, start, end
        cdef str name, value, location, label = self._label
        if self._halves or self._char(self.at) != 34:
            return False
        middle = self._quote(before)
        if middle < 0:
            return False
        start = self._blanks(middle + 1)
        if self._char(start) != 58:  # :
            return False
        start = self._blanks(start + 1)
        if self._char(start) != 34:
            return False
        start += 1
        end = self._quote(start)
        if end < 0:
            return False
        name = PyUnicode_Substring(self.text, before, middle)
        value = PyUnicode_Substring(self.text, start, end)
        if opening(value) or (self._strict and name in self._names):
            return False
        if self._exempt and (*self._parent, name) in self._exempt:
            return False
        location = self._where + self._display(name)
        if end - start <= LONGEST_LABEL and name in LABELS:
            self._label = value
        self._names[name] = len(self._leaves)
        self._leaf(name, location + "#name", "", before, middle, json_string, NAME)
        key = label if label and name in LABELLED else name
        self._leaf(value, location, key, start, end, json_string, name)
        self.at = end + 1
        return True

    cdef int _open(self, bint named) except -1:
        if len(self._outer) >= DEEPEST:
            raise UnreadableError("arrays and objects nested too deeply")
        self._outer.append(
            (
                self._names, self._where, self._parent, self._key, self._closing, self._index,
                self._label,
            )
        )
        self._parent = joined(self._parent, self._step)
        if named:
            self._names, self._closing = self._layout.members(), 125  # }
            self._where, self._label = within(self._location), ""
        else:
            self._names, self._closing, self._index = None, 93, -1  # ]
            self._where = bounded(self._location)
        self.at += 1
        return 0

    cdef int _close(self) except -1:
        (
            self._names, self._where, self._parent, self._key, self._closing, self._index,
            self._label,
        ) = self._outer.pop()
        self.at += 1
        return 0

    cdef int _name(self) except -1:
        """Pass over a member's name and its colon."""
        cdef Py_ssize_t start = self.at + 1, end
        cdef str name
        if self._char(self.at) != 34:
            raise self.unexpected()
        name = self._string()
        end = self.at - 1
        self.at = self._blanks(self.at)
        if self._char(self.at) != 58:  # :
            raise self.unexpected()
        self.at = self._blanks(self.at + 1)
        if self._strict and name in self._names:
            raise UnreadableError("a name given twice in one object")
        self._names[name] = len(self._leaves)
        self._location = self._where + self._display(name)
        self._leaf(name, self._location + "#name", "", start, end, json_string, NAME)
        self._step = name
        self._key = self._label if self._label and name in LABELLED else name
        return 0

    cdef int _text(self) except -1:
        cdef Py_ssize_t start = self.at + 1
        cdef str value = self._string()
        reason = self._exempt.get(joined(self._parent, self._step)) if self._exempt else None
        if reason:
            size = len(PyUnicode_Substring(self.text, start, self.at - 1).encode())
            self._layout.skip(reason, size, self._location)
            return 0
        if PyUnicode_GET_LENGTH(value) <= LONGEST_LABEL and self._step in LABELS:
            self._label = value
        self._add(value, start, self.at - 1, json_string)
        return 0

    cdef int _add(self, str value, Py_ssize_t start, Py_ssize_t end, codec) except -1:
        cdef str location = self._location or "body"
        if opening(value):
            self._embedded(
                self._layout, value, location, self._key, self._holder, start, end, codec,
                self._parent, self._step,
            )
        else:
            self._leaf(value, location, self._key, start, end, codec, self._step)
        return 0

    cdef int _leaf(
        self, str text, str location, str key, Py_ssize_t start, Py_ssize_t end, codec, step
    ) except -1:
        """As `Layout.add`."""
        if len(self._slots) >= self._most:
            raise too_many()
        self._slots.append((self._holder, start, end, codec, self._parent, step))
        self._leaves.append(tuple.__new__(Leaf, (text, location, key)))
        return 0

    cdef str _display(self, str name):
        found = self._shown.get(name)
        if found is None:
            found = self._shown[name] = shown(name)
        return found

    cdef str _string(self):
        """Pass over a string; what it says."""
        cdef Py_ssize_t begin = self.at, end = self._quote(begin + 1)
        if end >= 0 and not self._halves:
            self.at = end + 1
            return PyUnicode_Substring(self.text, begin + 1, end)
        try:
            value, self.at = scanstring(self.text, begin + 1, self._strict)
        except JSONDecodeError:
            raise UnreadableError(f"a string that is none, at character {begin}") from None
        if self._halves and not encodes(value):
            raise UnreadableError("half of a surrogate pair")
        return value
