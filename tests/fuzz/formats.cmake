# Fuzzers of formats/: what reads headers of files from anywhere.
foreach(format safetensors zip pickle dcp index tensors)
    tfs_add_fuzzer(fuzz_${format} LIBRARIES tfs_formats tfs_dtype tfs_base)
endforeach()
