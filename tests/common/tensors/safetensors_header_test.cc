// SPDX-License-Identifier: Apache-2.0
#include "common/tensors/safetensors_header.h"

#include <absl/status/status.h>

#include <catch2/catch.hpp>
#include <cstdint>
#include <string>

namespace larr {
namespace {

std::string File(const std::string& header, size_t data_bytes) {
  const uint64_t length = header.size();
  std::string file(reinterpret_cast<const char*>(&length), 8);
  return file + header + std::string(data_bytes, '\0');
}

std::string OneTensor(const std::string& dtype, const std::string& shape,
                      const std::string& offsets) {
  return R"({"a":{"dtype":")" + dtype + R"(","shape":)" + shape +
         R"(,"data_offsets":)" + offsets + "}}";
}

TEST_CASE("A header says which tensors there are, and where") {
  const std::string text =
      R"({"__metadata__":{"format":"pt"},)"
      R"("w":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]},)"
      R"("none":{"dtype":"I64","shape":[0,4],"data_offsets":[12,12]},)"
      R"("scalar":{"dtype":"F32","shape":[],"data_offsets":[12,16]}})";
  const auto header = ParseSafetensorsHeader(File(text, 16), "x");
  REQUIRE(header.ok());
  CHECK(header->metadata.at("format") == "pt");
  REQUIRE(header->tensors.size() == 3);
  const TensorEntry& w = header->tensors.at("w");
  CHECK(NameOf(w.type) == "BF16");
  CHECK(SizeOf(w.type) == 2);
  CHECK(ShapeText(w.shape) == "[2, 3]");
  CHECK(w.begin == 8 + text.size());
  CHECK(w.end == w.begin + 12);
  CHECK(header->tensors.at("none").begin == w.end);
}

TEST_CASE("Headers that do not fit their file are refused by tensor") {
  struct Case {
    std::string header;
    size_t data_bytes;
    const char* why;
  };
  const std::string huge = "4611686018427387904";  // 2^62
  const Case cases[] = {
      {"{]", 0, "not a JSON object"},
      {R"(["a"])", 0, "not a JSON object"},
      {R"({"__metadata__":7})", 0, "__metadata__ is not an object"},
      {R"({"a":[]})", 0, "'a': `dtype` is not a string"},
      {R"({"a":{"dtype":"F32","shape":[1]}})", 4, "'a': `data_offsets`"},
      {OneTensor("F8_E4M3", "[4]", "[0,4]"), 4, "F8_E4M3"},
      {OneTensor("F32", "[2]", "[0,4]"), 4, "do not fit"},
      {OneTensor("F32", "[1]", "[4,0]"), 4, "do not fit"},
      {OneTensor("F32", "[-1]", "[0,4]"), 4, "`shape` is no list"},
      {OneTensor("F32", "[1.0]", "[0,4]"), 4, "`shape` is no list"},
      {OneTensor("F32", "[true]", "[0,4]"), 4, "`shape` is no list"},
      {OneTensor("F32", "[[1]]", "[0,4]"), 4, "`shape` is no list"},
      {OneTensor("F32", "4", "[0,4]"), 4, "`shape` is no list"},
      {OneTensor("F32", "[1]", "[0,4,8]"), 4, "`data_offsets`"},
      {OneTensor("F32", "[1]", "[0,18446744073709551615]"), 4,
       "`data_offsets`"},
      // Sizes whose product, or whose bytes, are a small number modulo 2^64.
      {OneTensor("F32", "[" + huge + ",4]", "[0,0]"), 0, "do not fit"},
      {OneTensor("F32", "[" + huge + "]", "[0,0]"), 0, "do not fit"},
      {OneTensor("F32", "[0," + huge + "," + huge + "]", "[0,0]"), 0,
       "do not fit"},
      {OneTensor("F32", "[1]", "[0,4]"), 3, "'a': ends at byte 4 of 3"},
      {OneTensor("F32", "[1]", "[4,8]"), 8, "overlap or leave a gap at byte"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
       R"("b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}})",
       8, "overlap"},
      {OneTensor("F32", "[1]", "[0,4]"), 5, "1 bytes follow"},
      {std::string(1 << 20, '['), 0, "not a JSON object"},
      {R"({"a":)" + std::string(1 << 20, '['), 0, "not a JSON object"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.header.substr(0, 100));
    const auto status =
        ParseSafetensorsHeader(File(c.header, c.data_bytes), "x").status();
    CHECK((absl::IsDataLoss(status) || absl::IsInvalidArgument(status)));
    CHECK_THAT(std::string(status.message()),
               Catch::StartsWith("x: ") && Catch::Contains(c.why));
  }
  CHECK(absl::IsDataLoss(ParseSafetensorsHeader("1234567", "x").status()));
  CHECK_THAT(
      ParseSafetensorsHeader(std::string(9, '\xff'), "x").status().ToString(),
      Catch::Contains("the header claims 18446744073709551615 bytes"));
}

}  // namespace
}  // namespace larr
