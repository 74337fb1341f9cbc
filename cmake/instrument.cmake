# Coverage feedback of libFuzzer: only what a fuzzer should explore is instrumented. The comparison, the
# minimiser and the reports run in the same process; their edges would only cost time and blur the feedback.
if(MMDIFF_FUZZ)
  foreach(library mmdiff_program mmdiff_interface mmdiff_reference mmdiff_model)
    if(TARGET ${library})
      target_compile_options(${library} PRIVATE -fsanitize=fuzzer-no-link)
      # Programs other than the fuzz targets need the runtime's empty callbacks.
      target_link_options(${library} INTERFACE -fsanitize=fuzzer-no-link)
    endif()
  endforeach()
endif()
