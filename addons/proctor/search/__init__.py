"""Full text over what was typed, said, called and given back.

The index is derived from the record and can be made anew from it at any time. It holds what it
finds, so it is guarded, erased and dropped like the record itself.
"""
