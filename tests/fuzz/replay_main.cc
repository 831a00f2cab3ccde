// SPDX-License-Identifier: Apache-2.0
//
// Runs a fuzz target over files, or over those of folders: replay, in builds
// without libFuzzer.  usage: larr_fuzz_NAME FILE|FOLDER...
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz_target.h"

namespace fs = std::filesystem;

int main(int argc, char** argv) {
  std::vector<fs::path> files;
  for (int i = 1; i < argc; ++i) {
    if (fs::is_regular_file(argv[i])) files.emplace_back(argv[i]);
    if (!fs::is_directory(argv[i])) continue;
    for (const auto& entry : fs::directory_iterator(argv[i]))
      files.push_back(entry.path());
  }
  if (files.empty()) {
    std::cerr << argv[0] << ": no inputs; name files or a corpus\n";
    return EXIT_FAILURE;
  }
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) {
    std::ifstream in(file, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    std::cerr << file.filename().string() << std::endl;  // before a crash
    // A copy of its own, so that a byte too far is seen.
    const std::vector<uint8_t> input(bytes.begin(), bytes.end());
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  std::cout << files.size() << " inputs\n";
  return EXIT_SUCCESS;
}
