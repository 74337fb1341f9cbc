# Coverage feedback of libFuzzer: only what a fuzzer should explore is instrumented. The comparison, the
# minimiser and the reports run in the same process; their edges would only cost time and blur the feedback.
# Compared operands are traced only where text is parsed: the mutator of programs knows the values itself.
if(MMDIFF_FUZZ)
  if(TARGET mmdiff_program AND NOT MMDIFF_SANITIZE STREQUAL "thread")
    set_property(SOURCE ${PROJECT_SOURCE_DIR}/program/text_parse.cc
                 TARGET_DIRECTORY mmdiff_program APPEND PROPERTY COMPILE_OPTIONS "-fsanitize-coverage=trace-cmp")
  endif()
  # What the threaded target shares with its threads counts nothing under ThreadSanitizer: the counters are no atomics.
  set(instrumented mmdiff_reference mmdiff_model)
  if(NOT MMDIFF_SANITIZE STREQUAL "thread")
    list(APPEND instrumented mmdiff_program mmdiff_interface)
  endif()
  foreach(library ${instrumented})
    if(TARGET ${library})
      target_compile_options(${library} PRIVATE -fsanitize=fuzzer-no-link -fno-sanitize-coverage=trace-cmp)
      # Programs other than the fuzz targets need the runtime's empty callbacks.
      target_link_options(${library} INTERFACE -fsanitize=fuzzer-no-link)
    endif()
  endforeach()
endif()
