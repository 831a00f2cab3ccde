# Libraries from Debian, and those that tools/setup puts into .deps.
set(LARR_DEPS ${CMAKE_SOURCE_DIR}/.deps CACHE PATH "What tools/setup/install.sh made")

find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(absl CONFIG REQUIRED)
find_package(RocksDB CONFIG REQUIRED)
find_package(spdlog CONFIG REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(Catch2 2 REQUIRED)

find_path(XXHASH_INCLUDE xxhash.h REQUIRED)
find_library(XXHASH_LIBRARY xxhash REQUIRED)
add_library(larr_xxhash INTERFACE)
add_library(larr::xxhash ALIAS larr_xxhash)
target_include_directories(larr_xxhash SYSTEM INTERFACE ${XXHASH_INCLUDE})
target_link_libraries(larr_xxhash INTERFACE ${XXHASH_LIBRARY})

# A shared library of .deps, found again at run time where it lies.
function(larr_import_shared target library)
  add_library(${target} SHARED IMPORTED GLOBAL)
  set_target_properties(${target} PROPERTIES IMPORTED_LOCATION ${library})
  if(NOT EXISTS ${library})
    message(FATAL_ERROR "${library} is missing: run ./larr setup")
  endif()
endfunction()

# Arrow and Parquet out of the pyarrow wheel.
set(arrow ${LARR_DEPS}/arrow/pyarrow)
larr_import_shared(larr_arrow_so ${arrow}/libarrow.so.2600)
larr_import_shared(larr_parquet_so ${arrow}/libparquet.so.2600)
add_library(larr_parquet INTERFACE)
add_library(larr::parquet ALIAS larr_parquet)
target_include_directories(larr_parquet SYSTEM INTERFACE ${arrow}/include)
target_link_libraries(larr_parquet INTERFACE larr_parquet_so larr_arrow_so)

# The tokenizers crate behind third_party/tokenizers/larr_tokenizers.h.
set(tokenizers ${LARR_DEPS}/cargo-target/release/liblarr_tokenizers.a)
if(NOT EXISTS ${tokenizers})
  message(FATAL_ERROR "${tokenizers} is missing: run ./larr setup")
endif()
add_library(larr_tokenizers_a STATIC IMPORTED GLOBAL)
set_target_properties(larr_tokenizers_a PROPERTIES IMPORTED_LOCATION ${tokenizers})
add_library(larr_tokenizers_c INTERFACE)
add_library(larr::tokenizers_c ALIAS larr_tokenizers_c)
target_include_directories(larr_tokenizers_c SYSTEM INTERFACE ${CMAKE_SOURCE_DIR})
target_link_libraries(larr_tokenizers_c INTERFACE larr_tokenizers_a dl pthread m)

if(LARR_SANITIZE)
  return()
endif()

# sentencepiece, which uses the protobuf that our own messages use.
set(sentencepiece ${LARR_DEPS}/sentencepiece/libsentencepiece.a)
if(NOT EXISTS ${sentencepiece})
  message(FATAL_ERROR "${sentencepiece} is missing: run ./larr setup")
endif()
add_library(larr_sentencepiece_a STATIC IMPORTED GLOBAL)
set_target_properties(larr_sentencepiece_a PROPERTIES IMPORTED_LOCATION ${sentencepiece})
add_library(larr_sentencepiece INTERFACE)
add_library(larr::sentencepiece ALIAS larr_sentencepiece)
target_include_directories(larr_sentencepiece SYSTEM INTERFACE ${LARR_DEPS}/sentencepiece)
target_link_libraries(larr_sentencepiece INTERFACE larr_sentencepiece_a protobuf::libprotobuf)

# LibTorch out of the torch wheel. Its include folder holds other libraries'
# headers too (fmt, protobuf): it must come last, hence -idirafter.
# Its Gloo has no headers: those of libgloo-dev, and nothing but the headers.
find_path(GLOO_INCLUDE gloo/algorithm.h REQUIRED)
set(torch ${LARR_DEPS}/torch/torch)
larr_import_shared(larr_torch_so ${torch}/lib/libtorch_cpu.so)
larr_import_shared(larr_c10_so ${torch}/lib/libc10.so)
larr_import_shared(larr_gomp_so ${torch}/lib/libgomp.so.1)
add_library(larr_torch INTERFACE)
add_library(larr::torch ALIAS larr_torch)
target_compile_options(larr_torch INTERFACE
  "SHELL:-idirafter ${torch}/include" "SHELL:-idirafter ${torch}/include/torch/csrc/api/include")
target_link_libraries(larr_torch INTERFACE larr_torch_so larr_c10_so)
target_link_options(larr_torch INTERFACE
  -Wl,-rpath-link,${torch}/lib -Wl,-rpath-link,${LARR_DEPS}/torch/nvidia/cu13/lib
  -Wl,-rpath,${LARR_DEPS}/torch/nvidia/cu13/lib)
