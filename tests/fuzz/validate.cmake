# Fuzzers of tools/validate: what reads headers of files from anywhere.
foreach(format safetensors zip pickle dcp index validate)
    tfs_add_fuzzer(fuzz_${format} LIBRARIES tfs_validate tfs_formats tfs_tool tfs_gpu tfs_dtype tfs_base)
endforeach()
