# Tests of fs.
