"""OpenAPI 3.0 and 3.1: which operation a request asks for, and whether it keeps to the description.

`spec.Spec` is the way in. Schemas are checked by jsonschema-rs: 0.4 µs where the Python library
takes 80, and its regular expressions are linear or stop at a limit. Everything else is done here;
openapi-core and its like check with that Python library, build objects that nobody here needs, and
follow references to other hosts.
"""
