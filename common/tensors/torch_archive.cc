// SPDX-License-Identifier: Apache-2.0
#include "common/tensors/torch_archive.h"

#include <caffe2/serialize/inline_container.h>
#include <caffe2/serialize/read_adapter_interface.h>
#include <fmt/format.h>
#include <string.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/invalid_argument.h"
#include "common/base/prefixed.h"
#include "common/base/status_macros.h"
#include "common/tensors/pickle.h"
#include "common/tensors/torch_status.h"

namespace larr {
namespace {

using caffe2::serialize::PyTorchStreamReader;

constexpr char kRebuildTensor[] = "torch._utils._rebuild_tensor_v2";
constexpr char kRebuildParameter[] = "torch._utils._rebuild_parameter";

constexpr std::array<std::pair<std::string_view, torch::ScalarType>, 9>
    kStorages{{{"torch.FloatStorage", torch::kFloat32},
               {"torch.HalfStorage", torch::kFloat16},
               {"torch.BFloat16Storage", torch::kBFloat16},
               {"torch.DoubleStorage", torch::kFloat64},
               {"torch.LongStorage", torch::kInt64},
               {"torch.IntStorage", torch::kInt32},
               {"torch.ShortStorage", torch::kInt16},
               {"torch.ByteStorage", torch::kUInt8},
               {"torch.BoolStorage", torch::kBool}}};

std::vector<std::string_view> KnownNames() {
  std::vector<std::string_view> names = {"collections.OrderedDict",
                                         kRebuildTensor, kRebuildParameter};
  for (const auto& [name, dtype] : kStorages) names.push_back(name);
  return names;
}

// The archive's directory reads from the mapping.
class MappedReader : public caffe2::serialize::ReadAdapterInterface {
 public:
  explicit MappedReader(std::shared_ptr<const MappedFile> file)
      : file_(std::move(file)) {}
  size_t size() const override { return file_->size(); }
  size_t read(uint64_t from, void* to, size_t bytes,
              const char* /*what*/) const override {
    if (from >= file_->size()) return 0;
    bytes = std::min(bytes, file_->size() - from);
    memcpy(to, file_->bytes() + from, bytes);
    return bytes;
  }

 private:
  const std::shared_ptr<const MappedFile> file_;
};

absl::Status Damaged(const std::string& what) {
  return absl::DataLossError(what + ": the file is damaged");
}

// The numbers of a tuple.
std::optional<std::vector<int64_t>> Numbers(const PickleNode& node) {
  const auto* list = node.As<PickleNode::List>();
  if (list == nullptr) return std::nullopt;
  std::vector<int64_t> numbers;
  for (const PickleNode* item : *list) {
    const auto* number = item->As<int64_t>();
    if (number == nullptr || *number < 0) return std::nullopt;
    numbers.push_back(*number);
  }
  return numbers;
}

// Elements of a storage that the tensor reaches into; nothing on overflow.
std::optional<int64_t> Reach(int64_t offset, const std::vector<int64_t>& size,
                             const std::vector<int64_t>& stride) {
  if (std::ranges::find(size, 0) != size.end()) return 0;
  int64_t last = offset;
  for (size_t i = 0; i < size.size(); ++i) {
    int64_t step = 0;
    if (__builtin_mul_overflow(size[i] - 1, stride[i], &step) ||
        __builtin_add_overflow(last, step, &last))
      return std::nullopt;
  }
  if (__builtin_add_overflow(last, 1, &last)) return std::nullopt;
  return last;
}

class Reader {
 public:
  explicit Reader(std::shared_ptr<const MappedFile> file)
      : file_(std::move(file)),
        zip_(std::make_shared<MappedReader>(file_)),
        names_(KnownNames()) {}

  absl::StatusOr<std::map<std::string, torch::Tensor>> Read() {
    LARR_ASSIGN_OR_RETURN(const auto text, Record("data.pkl"));
    LARR_ASSIGN_OR_RETURN(const auto pickle, Pickle::Parse(text, names_));
    const auto* dict = pickle.root().As<PickleNode::Dict>();
    if (dict == nullptr)
      return absl::InvalidArgumentError("holds no dict of tensors");
    std::map<std::string, torch::Tensor> tensors;
    for (const auto& [key, value] : *dict) {
      const auto* name = key->As<std::string>();
      if (name == nullptr)
        return absl::InvalidArgumentError("has a tensor without a name");
      auto tensor = MakeTensor(*value);
      if (!tensor.ok()) {
        return Prefixed(fmt::format("tensor '{}'", *name), tensor.status());
      }
      tensors.insert_or_assign(*name, *std::move(tensor));
    }
    return tensors;
  }

 private:
  // The bytes of a record, which must be stored as they are.
  absl::StatusOr<std::string_view> Record(const std::string& name) {
    if (!zip_.hasRecord(name)) return Damaged(name + " is missing");
    const size_t size = zip_.getRecordSize(name);
    const size_t header = zip_.getRecordHeaderOffset(name);
    const size_t begin = zip_.getRecordOffset(name);
    if (begin > file_->size() || size > file_->size() - begin ||
        file_->size() < 10 || header > file_->size() - 10)
      return Damaged(name + " ends behind the end of the file");
    uint16_t method = 0;
    memcpy(&method, file_->bytes() + header + 8, sizeof(method));
    if (method != 0) {
      return absl::InvalidArgumentError(
          name + " is compressed; write the file by torch.save again");
    }
    return std::string_view(file_->bytes() + begin, size);
  }

  absl::StatusOr<torch::Tensor> MakeTensor(const PickleNode& node) {
    const auto* call = node.As<PickleNode::Call>();
    const auto* arguments =
        call == nullptr ? nullptr : call->arguments->As<PickleNode::List>();
    if (arguments == nullptr || arguments->empty())
      return absl::InvalidArgumentError("is no tensor");
    if (call->function == kRebuildParameter) {
      // (tensor, requires_grad, hooks)
      const auto* inner = arguments->front()->As<PickleNode::Call>();
      if (inner == nullptr || inner->function != kRebuildTensor)
        return absl::InvalidArgumentError("is no tensor");
      return MakeTensor(*arguments->front());
    }
    // (storage, offset, size, stride, requires_grad, hooks)
    const auto* storage = arguments->front()->As<PickleNode::Persistent>();
    if (call->function != kRebuildTensor || arguments->size() < 4 ||
        storage == nullptr)
      return absl::InvalidArgumentError("is no tensor");
    const auto* offset = (*arguments)[1]->As<int64_t>();
    const auto size = Numbers(*(*arguments)[2]);
    const auto stride = Numbers(*(*arguments)[3]);
    if (offset == nullptr || *offset < 0 || !size || !stride ||
        size->size() != stride->size())
      return Damaged("has no size and stride");
    return OnStorage(*storage->id, *offset, *size, *stride);
  }

  // id: ("storage", class, key, device, elements)
  absl::StatusOr<torch::Tensor> OnStorage(const PickleNode& id, int64_t offset,
                                          const std::vector<int64_t>& size,
                                          const std::vector<int64_t>& stride) {
    const auto* parts = id.As<PickleNode::List>();
    if (parts == nullptr || parts->size() != 5)
      return Damaged("has no storage");
    const auto* type = (*parts)[1]->As<PickleNode::Name>();
    const auto* key = (*parts)[2]->As<std::string>();
    const auto* found =
        type == nullptr
            ? kStorages.end()
            : std::ranges::find(kStorages, type->text,
                                [](auto& pair) { return pair.first; });
    if (found == kStorages.end() || key == nullptr)
      return Damaged("has no storage");
    LARR_ASSIGN_OR_RETURN(const auto bytes, Record("data/" + *key));
    const auto width = static_cast<int64_t>(c10::elementSize(found->second));
    const auto reach = Reach(offset, size, stride);
    if (!reach || *reach > static_cast<int64_t>(bytes.size()) / width)
      return Damaged("reaches behind the end of its storage");
    char* begin = file_->bytes() + (bytes.data() - file_->bytes());
    if (reinterpret_cast<uintptr_t>(begin) % width != 0)
      return Damaged("is not aligned to its dtype");
    if (*reach == 0) return torch::empty(size, found->second);
    return torch::from_blob(
        begin + offset * width, size, stride, [keep = file_](void*) {},
        found->second);
  }

  const std::shared_ptr<const MappedFile> file_;
  PyTorchStreamReader zip_;
  const std::vector<std::string_view> names_;
};

}  // namespace

absl::StatusOr<TorchArchive> ReadTorchArchive(
    const std::filesystem::path& path) {
  TorchArchive archive;
  LARR_ASSIGN_OR_RETURN(archive.mapping, MappedFile::Open(path));
  const std::string_view start(archive.mapping->bytes(),
                               std::min<size_t>(4, archive.mapping->size()));
  if (start != "PK\x03\x04") {
    return Invalid(
        "{}: is no zip archive. If a PyTorch before 1.6 wrote it, write it "
        "again in Python: torch.save(torch.load(file, weights_only=True), "
        "file)",
        path.string());
  }
  auto tensors = GuardTorch("the zip archive",
                            [&] { return Reader(archive.mapping).Read(); });
  if (absl::IsInternal(tensors.status())) {  // LibTorch's reader
    return absl::DataLossError(fmt::format(
        "{}: the file is truncated or damaged; copy or download it again ({})",
        path.string(), std::string(tensors.status().message())));
  }
  if (!tensors.ok()) return Prefixed(path.string(), tensors.status());
  archive.tensors = *std::move(tensors);
  return archive;
}

}  // namespace larr
