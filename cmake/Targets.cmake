# The four kinds of target that the tree is made of.

# Libraries that see torch/torch.h share one precompiled header: 18 s a file without.
if(NOT LARR_SANITIZE)
  file(WRITE ${CMAKE_BINARY_DIR}/torch_pch.cc "")
  add_library(larr_torch_pch OBJECT ${CMAKE_BINARY_DIR}/torch_pch.cc)
  target_link_libraries(larr_torch_pch PUBLIC larr::options larr::torch)
  target_precompile_headers(larr_torch_pch PRIVATE <torch/torch.h>)
endif()

# What TORCH means below: `visibility` is PUBLIC or PRIVATE.
function(larr_see_torch target visibility)
  target_link_libraries(${target} ${visibility} larr::torch)
  target_precompile_headers(${target} REUSE_FROM larr_torch_pch)
endfunction()

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
    larr_see_torch(larr_${name} PUBLIC)
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
    larr_see_torch(${name} PRIVATE)
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
  target_link_libraries(${name} PRIVATE larr::options larr_test_main ${T_LIBS})
  if(T_TORCH)
    larr_see_torch(${name} PRIVATE)
  endif()
  add_test(NAME ${name} COMMAND ${name} --warn NoTests --order rand --rng-seed 1)
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 300)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${T_TIMEOUT}
    ENVIRONMENT "LARR_SOURCE_DIR=${CMAKE_SOURCE_DIR};LARR_BIN_DIR=${CMAKE_BINARY_DIR}/bin;LARR_DEPS=${LARR_DEPS}")
endfunction()
