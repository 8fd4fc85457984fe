# Tests of segment.
