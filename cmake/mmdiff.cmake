# What every target of the project is built with, and the three functions that make one.

add_library(mmdiff_options INTERFACE)
target_include_directories(mmdiff_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(mmdiff_options INTERFACE -Wall -Wextra -Wpedantic -Wno-unused-parameter -g1
                                                -fno-omit-frame-pointer
                                                # Reports name files as they stand in the tree.
                                                -fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 sees overlaps in std::string concatenation that are not there (its bug 105651).
  target_compile_options(mmdiff_options INTERFACE -Wno-restrict)
endif()
if(MMDIFF_WERROR)
  target_compile_options(mmdiff_options INTERFACE -Werror)
endif()

if(MMDIFF_FUZZ AND NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  message(FATAL_ERROR "The fuzz targets need clang: use the preset `fuzz`, or set CC=clang-14 CXX=clang++-14 "
                      "(Debian: apt-get install clang-14 libclang-rt-14-dev).")
endif()

if(MMDIFF_SANITIZE STREQUAL "address")
  set(mmdiff_sanitize -fsanitize=address)
elseif(MMDIFF_SANITIZE STREQUAL "undefined")
  set(mmdiff_sanitize -fsanitize=undefined -fno-sanitize-recover=all)
elseif(MMDIFF_SANITIZE STREQUAL "undefined-trap")
  set(mmdiff_sanitize -fsanitize=undefined -fsanitize-undefined-trap-on-error)
elseif(MMDIFF_SANITIZE STREQUAL "thread")
  set(mmdiff_sanitize -fsanitize=thread)
elseif(NOT MMDIFF_SANITIZE STREQUAL "")
  message(FATAL_ERROR "MMDIFF_SANITIZE=${MMDIFF_SANITIZE} is unknown: address, undefined, undefined-trap or thread.")
endif()
if(mmdiff_sanitize)
  target_compile_options(mmdiff_options INTERFACE ${mmdiff_sanitize})
  target_link_options(mmdiff_options INTERFACE ${mmdiff_sanitize})
endif()
if(MMDIFF_COVERAGE)
  target_compile_options(mmdiff_options INTERFACE -fprofile-instr-generate -fcoverage-mapping)
  target_link_options(mmdiff_options INTERFACE -fprofile-instr-generate -fcoverage-mapping)
endif()

# mmdiff_library(NAME SRCS a.cc... DEPS x...): a static library of one room.
function(mmdiff_library name)
  cmake_parse_arguments(arg "" "" "SRCS;DEPS" ${ARGN})
  add_library(${name} STATIC ${arg_SRCS})
  target_link_libraries(${name} PUBLIC mmdiff_options ${arg_DEPS})
endfunction()

# mmdiff_tests(NAME SRCS a_test.cc... DEPS x... [LABELS l...]): one GoogleTest program, each test a ctest.
function(mmdiff_tests name)
  if(NOT MMDIFF_TESTS)
    return()
  endif()
  cmake_parse_arguments(arg "" "" "SRCS;DEPS;LABELS" ${ARGN})
  if(NOT arg_SRCS)
    return()
  endif()
  add_executable(${name} ${arg_SRCS})
  target_link_libraries(${name} PRIVATE ${arg_DEPS} GTest::gtest GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE MMDIFF_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  if(NOT arg_LABELS)
    set(arg_LABELS fast)
  endif()
  gtest_discover_tests(${name} TEST_PREFIX "${MMDIFF_TEST_PREFIX}" DISCOVERY_TIMEOUT 60
                       PROPERTIES LABELS "${arg_LABELS}" TIMEOUT 300)
endfunction()

# mmdiff_fuzzer(NAME SRCS a.cc... DEPS x...): one libFuzzer target; nothing without MMDIFF_FUZZ.
function(mmdiff_fuzzer name)
  if(NOT MMDIFF_FUZZ)
    return()
  endif()
  cmake_parse_arguments(arg "" "" "SRCS;DEPS" ${ARGN})
  add_executable(${name} ${arg_SRCS})
  target_link_libraries(${name} PRIVATE ${arg_DEPS})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
endfunction()
