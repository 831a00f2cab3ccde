// SPDX-License-Identifier: Apache-2.0
#include "common/tensors/torch_archive.h"

#include <absl/status/status.h>
#include <caffe2/serialize/inline_container.h>
#include <torch/utils.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <limits>
#include <tuple>

#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using namespace std::string_literals;  // NOLINT
using testing::TempDir;

// Written by torch.save, from a module's state dict.
std::filesystem::path Golden() {
  const char* source = std::getenv("LARR_SOURCE_DIR");
  return std::filesystem::path(source != nullptr ? source : ".") /
         "tests/golden/families/baichuan2/pytorch_model.bin";
}

std::string Bytes(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// A pickled text.
std::string Text(const std::string& text) {
  return "\x8c"s + static_cast<char>(text.size()) + text;
}
// {"w": a float32 tensor of a storage of 6 elements}, as torch.save writes it.
std::string OneTensor(int64_t offset, int rows, int stride,
                      const std::string& storage = "FloatStorage") {
  // BININT1, or LONG1 of 8 bytes.
  const auto number = [](int64_t value) {
    if (value < 256) return "K"s + static_cast<char>(value);
    std::string text = "\x8a\x08";
    for (int i = 0; i < 8; ++i) text += static_cast<char>(value >> (8 * i));
    return text;
  };
  return "\x80\x02}"s + Text("w") + "ctorch._utils\n_rebuild_tensor_v2\n((" +
         Text("storage") + "ctorch\n" + storage + "\n" + Text("0") +
         Text("cpu") + number(6) + "tQ" + number(offset) + number(rows) +
         "\x85"s + number(stride) + "\x85\x89" +
         "ccollections\nOrderedDict\n)RtRs.";
}

absl::StatusOr<TorchArchive> ReadMade(const std::string& pickle,
                                      bool compress = false) {
  const TempDir dir;
  const auto path = dir.path() / "made.bin";
  caffe2::serialize::PyTorchStreamWriter writer(path);
  writer.writeRecord("data.pkl", pickle.data(), pickle.size());
  const float values[6] = {0, 1, 2, 3, 4, 5};
  writer.writeRecord("data/0", values, sizeof(values), compress);
  writer.writeEndOfFile();
  return ReadTorchArchive(path);
}

TEST_CASE("A state dict of torch.save is read") {
  const auto archive = ReadTorchArchive(Golden());
  INFO(archive.status().ToString());
  REQUIRE(archive.ok());
  CHECK(archive->tensors.size() == 17);
  const auto& packed =
      archive->tensors.at("model.layers.1.self_attn.W_pack.weight");
  CHECK(packed.sizes() == torch::IntArrayRef({96, 32}));
  CHECK(packed.scalar_type() == torch::kFloat32);
  // On the mapped file, not a copy.
  const char* data = static_cast<const char*>(packed.const_data_ptr());
  CHECK(data >= archive->mapping->bytes());
  CHECK(data < archive->mapping->bytes() + archive->mapping->size());
}

TEST_CASE("A tensor is a view of its storage") {
  const auto archive = ReadMade(OneTensor(1, 3, 2));
  INFO(archive.status().ToString());
  REQUIRE(archive.ok());
  CHECK(torch::equal(archive->tensors.at("w"), torch::tensor({1.f, 3.f, 5.f})));
}

TEST_CASE("A tensor that reaches behind its storage is refused by name") {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  const std::tuple<int64_t, int, int> wrong[] = {
      {1, 3, 3},     {7, 1, 1},           {0, 7, 1},        {6, 1, 0},
      {kMost, 1, 1}, {kMost - 15, 16, 1}, {kMost - 1, 3, 1}};
  for (const auto& [offset, rows, stride] : wrong) {
    const auto status = ReadMade(OneTensor(offset, rows, stride)).status();
    CHECK(absl::IsDataLoss(status));
    CHECK_THAT(status.ToString(), Catch::Contains("made.bin: tensor 'w': "
                                                  "reaches behind the end"));
  }
  // 6 elements of 8 bytes do not fit the record.
  CHECK(
      absl::IsDataLoss(ReadMade(OneTensor(0, 6, 1, "DoubleStorage")).status()));
}

TEST_CASE("Code in a file is refused and not run") {
  const TempDir dir;
  const auto trace = dir.path() / "trace";
  const std::string command = "touch " + trace.string();
  const auto status =
      ReadMade("\x80\x02"s + "cos\nsystem\n" + Text(command) + "\x85R.")
          .status();
  CHECK(absl::IsInvalidArgument(status));
  CHECK_THAT(status.ToString(),
             Catch::Contains("made.bin") && Catch::Contains("'os.system'"));
  CHECK(!std::filesystem::exists(trace));
  CHECK_THAT(ReadMade(OneTensor(0, 1, 1, "QInt8Storage")).status().ToString(),
             Catch::Contains("'torch.QInt8Storage'"));
}

TEST_CASE("What is no dict of tensors is refused") {
  CHECK_THAT(ReadMade("\x80\x02N."s).status().ToString(),
             Catch::Contains("holds no dict of tensors"));
  CHECK_THAT(ReadMade("\x80\x02}"s + Text("w") + "Ns.").status().ToString(),
             Catch::Contains("tensor 'w': is no tensor"));
  CHECK_THAT(
      ReadMade(OneTensor(0, 6, 1), /*compress=*/true).status().ToString(),
      Catch::Contains("data/0 is compressed"));
}

TEST_CASE("A file that is truncated, legacy or no archive is refused by name") {
  const TempDir dir;
  const auto path = dir.path() / "pytorch_model.bin";
  const std::string whole = Bytes(Golden());
  REQUIRE(whole.size() > 80000);
  for (const size_t size : {whole.size() - 1, whole.size() - 1000,
                            whole.size() / 2, size_t{64}, size_t{4}}) {
    std::ofstream(path, std::ios::binary) << whole.substr(0, size);
    const auto status = ReadTorchArchive(path).status();
    CHECK(absl::IsDataLoss(status));
    CHECK_THAT(status.ToString(), Catch::Contains("pytorch_model.bin") &&
                                      Catch::Contains("truncated"));
  }
  for (const std::string& start : {"\x80\x02\x8a\nl\xfc\x9c"s, "<html>"s}) {
    std::ofstream(path, std::ios::binary) << start;
    const auto status = ReadTorchArchive(path).status();
    CHECK(absl::IsInvalidArgument(status));
    CHECK_THAT(status.ToString(), Catch::Contains("before 1.6") &&
                                      Catch::Contains("weights_only=True"));
  }
  CHECK(absl::IsNotFound(ReadTorchArchive(dir.path() / "x.bin").status()));
}

}  // namespace
}  // namespace larr
