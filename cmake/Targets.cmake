# The four kinds of target that the tree is made of.

# Headers that cost seconds in each file are compiled once, and shared by the
# targets that REUSE_FROM these: tensors 9 s, catch2/catch.hpp 3 s.
function(larr_precompile name)
  cmake_parse_arguments(H "" "" "HEADERS;LIBS" ${ARGN})
  file(WRITE ${CMAKE_BINARY_DIR}/${name}.cc "")
  add_library(larr_${name} OBJECT ${CMAKE_BINARY_DIR}/${name}.cc)
  target_link_libraries(larr_${name} PRIVATE larr::options ${H_LIBS})
  target_precompile_headers(larr_${name} PRIVATE ${H_HEADERS})
endfunction()

# gRPC asks for -pthread; a precompiled header needs it everywhere or nowhere.
add_library(larr_test_options INTERFACE)
target_compile_options(larr_test_options INTERFACE -pthread)
target_link_libraries(larr_test_options INTERFACE larr::options Catch2::Catch2)

larr_precompile(test_pch HEADERS <catch2/catch.hpp> LIBS larr_test_options)
if(NOT LARR_SANITIZE)
  set(tensors <torch/types.h> <torch/autograd.h> <torch/utils.h>)
  larr_precompile(torch_pch HEADERS ${tensors} LIBS larr::torch)
  larr_precompile(torch_test_pch HEADERS ${tensors} <catch2/catch.hpp>
                  LIBS larr::torch larr_test_options)
endif()

# larr_library(NAME [TORCH] SRCS a.cc ... [PUBLIC libs] [PRIVATE libs])
# One folder of common/ or one core of a service: target larr_NAME, alias larr::NAME.
function(larr_library name)
  cmake_parse_arguments(L "TORCH" "" "SRCS;PUBLIC;PRIVATE" ${ARGN})
  if(L_TORCH AND LARR_SANITIZE)
    return()
  endif()
  add_library(larr_${name} STATIC ${L_SRCS})
  add_library(larr::${name} ALIAS larr_${name})
  target_link_libraries(larr_${name} PUBLIC larr::options ${L_PUBLIC} PRIVATE ${L_PRIVATE})
  if(L_TORCH)
    target_link_libraries(larr_${name} PUBLIC larr::torch)
    target_precompile_headers(larr_${name} REUSE_FROM larr_torch_pch)
  endif()
endfunction()

# larr_program(NAME [TORCH] SRCS ... LIBS ...): program build/bin/NAME.
function(larr_program name)
  cmake_parse_arguments(P "TORCH" "" "SRCS;LIBS" ${ARGN})
  if(LARR_SANITIZE)
    return()
  endif()
  add_executable(${name} ${P_SRCS})
  target_link_libraries(${name} PRIVATE larr::options ${P_LIBS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
  if(P_TORCH)
    target_link_libraries(${name} PRIVATE larr::torch)
    target_precompile_headers(${name} REUSE_FROM larr_torch_pch)
  endif()
endfunction()

# larr_test(NAME [TORCH] SRCS x_test.cc ... LIBS ...): one program, one ctest
# entry, for the tests that mirror one folder. Fails if no test case ran.
function(larr_test name)
  cmake_parse_arguments(T "TORCH" "TIMEOUT" "SRCS;LIBS" ${ARGN})
  if(T_TORCH AND LARR_SANITIZE)
    return()
  endif()
  add_executable(${name} ${T_SRCS})
  target_link_libraries(${name} PRIVATE larr_test_options larr_test_main ${T_LIBS})
  if(T_TORCH)
    target_link_libraries(${name} PRIVATE larr::torch)
    target_precompile_headers(${name} REUSE_FROM larr_torch_test_pch)
  else()
    target_precompile_headers(${name} REUSE_FROM larr_test_pch)
  endif()
  add_test(NAME ${name} COMMAND ${name} --warn NoTests --order rand --rng-seed 1)
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 300)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${T_TIMEOUT}
    ENVIRONMENT "LARR_SOURCE_DIR=${CMAKE_SOURCE_DIR};LARR_BIN_DIR=${CMAKE_BINARY_DIR}/bin;LARR_DEPS=${LARR_DEPS}")
endfunction()

# larr_fuzz(NAME SRCS x_fuzz.cc LIBS ...): one fuzz target, larr_fuzz_NAME. By
# clang++ with LARR_SANITIZE=fuzzer a program of libFuzzer; else one that runs
# the target over its corpus, tests/fuzz/corpus/NAME, and a ctest entry.
function(larr_fuzz name)
  cmake_parse_arguments(F "" "" "SRCS;LIBS" ${ARGN})
  add_executable(larr_fuzz_${name} ${F_SRCS})
  target_link_libraries(larr_fuzz_${name} PRIVATE larr::options ${F_LIBS})
  if(LARR_SANITIZE STREQUAL "fuzzer")
    target_link_options(larr_fuzz_${name} PRIVATE -fsanitize=fuzzer)
    return()
  endif()
  target_sources(larr_fuzz_${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests/fuzz/replay_main.cc)
  add_test(NAME fuzz_${name}
    COMMAND larr_fuzz_${name} ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
endfunction()
