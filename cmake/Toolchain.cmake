# How everything of ours is compiled and linked.
find_program(CCACHE ccache REQUIRED)
# Relative paths, so that a clone elsewhere hits the same cache; the sloppiness
# is what precompiled headers need (ccache manual, "Precompiled headers").
set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
    CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 CCACHE_MAXSIZE=10G
    CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE})
# Each segment begins on a page of its own: else a `.tbss` at the end of a page
# makes mold 1.10 protect the page before its segment, and the program does not
# start.
add_link_options(-fuse-ld=mold -Wl,-z,separate-loadable-segments)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2")
if(LARR_SANITIZE)
  set(sanitizers_address address,undefined)
  set(sanitizers_thread thread)
  set(sanitizers_fuzzer fuzzer-no-link,address,undefined)
  set(sanitizers -fsanitize=${sanitizers_${LARR_SANITIZE}})
  if(NOT DEFINED sanitizers_${LARR_SANITIZE})
    message(FATAL_ERROR "LARR_SANITIZE is ${LARR_SANITIZE}; set it to address, thread or fuzzer")
  endif()
  set(CMAKE_CXX_FLAGS_RELEASE "-O1 -g1")
  add_compile_options(${sanitizers} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC 12 sees uninitialised variables in libstdc++'s regex when sanitizing.
    add_compile_options(-Wno-maybe-uninitialized)
  endif()
  if(LARR_SANITIZE STREQUAL "thread")
    # Messages of protobuf are larger where it is told of TSan, but Debian's
    # library was not. libstdc++ stays told.
    add_compile_options(-U__SANITIZE_THREAD__ -D_GLIBCXX_TSAN=1)
  endif()
  add_link_options(${sanitizers})
endif()

find_package(Threads REQUIRED)
add_library(larr_options INTERFACE)
add_library(larr::options ALIAS larr_options)
target_compile_options(larr_options INTERFACE -Wall -Wextra -Werror -Wno-missing-field-initializers
                       $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
target_include_directories(larr_options INTERFACE ${CMAKE_SOURCE_DIR})
target_link_libraries(larr_options INTERFACE Threads::Threads)
