# Tests of index.
