// SPDX-License-Identifier: Apache-2.0
#include "common/tensors/pickle.h"

#include <fmt/format.h>
#include <string.h>

#include <algorithm>
#include <bit>
#include <unordered_map>

#include "common/base/invalid_argument.h"

namespace larr {
namespace {

// A state dict of 100,000 tensors is smaller; nodes take many times the bytes.
constexpr size_t kMaxBytes = 32u << 20;
constexpr char kOrderedDict[] = "collections.OrderedDict";

enum Op : uint8_t {
  kMark = '(',
  kStop = '.',
  kBinFloat = 'G',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kNone = 'N',
  kBinPersid = 'Q',
  kReduce = 'R',
  kBinUnicode = 'X',
  kAppend = 'a',
  kBuild = 'b',
  kGlobal = 'c',
  kAppends = 'e',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kSetItem = 's',
  kTuple = 't',
  kSetItems = 'u',
  kEmptyTuple = ')',
  kEmptyList = ']',
  kEmptyDict = '}',
  kProto = 0x80,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kLong1 = 0x8a,
  kShortBinUnicode = 0x8c,
  kStackGlobal = 0x93,
  kMemoize = 0x94,
  kFrame = 0x95,
};

// The stack machine. The first error stays, and all that follows is idle.
class Machine {
 public:
  Machine(std::string_view bytes, std::span<const std::string_view> names,
          std::deque<PickleNode>& nodes)
      : rest_(bytes), names_(names), nodes_(nodes) {}

  absl::StatusOr<const PickleNode*> Run() {
    while (status_.ok() && !stopped_) Step(Number<uint8_t>());
    if (status_.ok() && stack_.size() != 1) Damaged("leaves no single value");
    if (!status_.ok()) return status_;
    return stack_.back();
  }

 private:
  void Damaged(std::string_view what) {
    if (status_.ok())
      status_ = absl::DataLossError(fmt::format("the pickle {}", what));
  }

  // Bytes of the input; empty where it ends early.
  std::string_view Take(uint64_t size) {
    if (size > rest_.size()) {
      Damaged("ends early");
      return {};
    }
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  template <typename T>
  T Number() {
    T value{};
    const std::string_view bytes = Take(sizeof(T));
    if (bytes.size() == sizeof(T)) memcpy(&value, bytes.data(), sizeof(T));
    return value;
  }
  std::string Line() {
    const size_t end = rest_.find('\n');
    if (end == std::string_view::npos) {
      Damaged("ends early");
      return {};
    }
    std::string line(Take(end));
    Take(1);
    return line;
  }

  PickleNode* Push(PickleNode node) {
    nodes_.push_back(std::move(node));
    stack_.push_back(&nodes_.back());
    return &nodes_.back();
  }
  // The topmost value; an empty one where there is none.
  PickleNode* Top() {
    if (stack_.empty() || (!marks_.empty() && marks_.back() == stack_.size())) {
      Damaged("takes a value where there is none");
      return &nodes_.emplace_back();
    }
    return stack_.back();
  }
  PickleNode* Pop() {
    PickleNode* top = Top();
    if (status_.ok()) stack_.pop_back();
    return top;
  }
  // All values above the last mark.
  PickleNode::List PopToMark() {
    if (marks_.empty()) {
      Damaged("has no mark where one is needed");
      return {};
    }
    PickleNode::List items(stack_.begin() + marks_.back(), stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return items;
  }
  void PushTuple(int size) {
    PickleNode::List items(size);
    for (int i = size - 1; i >= 0; --i) items[i] = Pop();
    Push({std::move(items)});
  }

  void Append(const PickleNode::List& items) {
    auto* list = std::get_if<PickleNode::List>(&Top()->value);
    if (list == nullptr) return Damaged("appends to what is no list");
    list->insert(list->end(), items.begin(), items.end());
  }
  void SetItems(const PickleNode::List& items) {
    auto* dict = std::get_if<PickleNode::Dict>(&Top()->value);
    if (dict == nullptr || items.size() % 2 != 0)
      return Damaged("sets items of what is no dict");
    for (size_t i = 0; i < items.size(); i += 2)
      dict->emplace_back(items[i], items[i + 1]);
  }

  void PushName(const std::string& text) {
    if (!status_.ok()) return;
    if (std::ranges::find(names_, text) == names_.end()) {
      status_ = Invalid(
          "the pickle names '{}', which is no part of a dict of tensors; "
          "nothing of it was run",
          text);
      return;
    }
    Push({PickleNode::Name{text}});
  }
  void StackName() {
    const auto* name = Pop()->As<std::string>();
    const auto* module = Pop()->As<std::string>();
    if (name == nullptr || module == nullptr)
      return Damaged("has a name that is no text");
    PushName(*module + "." + *name);
  }
  void Reduce() {
    const PickleNode* arguments = Pop();
    const auto* function = Pop()->As<PickleNode::Name>();
    if (function == nullptr) return Damaged("calls what is no function");
    if (function->text == kOrderedDict)
      Push({PickleNode::Dict{}});
    else
      Push({PickleNode::Call{function->text, arguments}});
  }

  void Put(uint32_t place) { memo_[place] = Top(); }
  void Get(uint32_t place) {
    const auto found = memo_.find(place);
    if (found == memo_.end()) return Damaged("refers to what is not there");
    stack_.push_back(found->second);
  }

  void PushLong() {
    const std::string_view bytes = Take(Number<uint8_t>());
    if (bytes.size() > 8) return Damaged("has a number of more than 64 bits");
    // Little-endian, two's complement.
    uint64_t value = !bytes.empty() && (bytes.back() & 0x80) != 0 ? ~0ull : 0;
    if (!bytes.empty()) memcpy(&value, bytes.data(), bytes.size());
    Push({static_cast<int64_t>(value)});
  }
  void PushFloat() {  // big-endian
    Push({std::bit_cast<double>(__builtin_bswap64(Number<uint64_t>()))});
  }

  void Step(uint8_t op) {
    switch (op) {
      case kProto:
        return (void)Number<uint8_t>();
      case kFrame:
        return (void)Number<uint64_t>();
      case kStop:
        stopped_ = true;
        return;
      case kMark:
        return marks_.push_back(stack_.size());
      case kNone:
        return (void)Push({});
      case kNewTrue:
        return (void)Push({true});
      case kNewFalse:
        return (void)Push({false});
      case kBinInt:
        return (void)Push({int64_t{Number<int32_t>()}});
      case kBinInt1:
        return (void)Push({int64_t{Number<uint8_t>()}});
      case kBinInt2:
        return (void)Push({int64_t{Number<uint16_t>()}});
      case kLong1:
        return PushLong();
      case kBinFloat:
        return PushFloat();
      case kBinUnicode:
        return (void)Push({std::string(Take(Number<uint32_t>()))});
      case kShortBinUnicode:
        return (void)Push({std::string(Take(Number<uint8_t>()))});
      case kEmptyTuple:
      case kEmptyList:
        return (void)Push({PickleNode::List{}});
      case kEmptyDict:
        return (void)Push({PickleNode::Dict{}});
      case kTuple:
        return (void)Push({PopToMark()});
      case kTuple1:
        return PushTuple(1);
      case kTuple2:
        return PushTuple(2);
      case kTuple3:
        return PushTuple(3);
      case kAppend:
        return Append({Pop()});
      case kAppends:
        return Append(PopToMark());
      case kSetItem: {
        const PickleNode* value = Pop();
        return SetItems({Pop(), value});
      }
      case kSetItems:
        return SetItems(PopToMark());
      case kBuild:
        return (void)Pop();  // attributes: `_metadata`
      case kBinPut:
        return Put(Number<uint8_t>());
      case kLongBinPut:
        return Put(Number<uint32_t>());
      case kMemoize:
        return Put(static_cast<uint32_t>(memo_.size()));
      case kBinGet:
        return Get(Number<uint8_t>());
      case kLongBinGet:
        return Get(Number<uint32_t>());
      case kGlobal: {
        const std::string module = Line();
        return PushName(module + "." + Line());
      }
      case kStackGlobal:
        return StackName();
      case kReduce:
        return Reduce();
      case kBinPersid:
        return (void)Push({PickleNode::Persistent{Pop()}});
      default:
        if (status_.ok()) {
          status_ = Invalid(
              "the pickle has instruction {:#04x}, which a dict of tensors "
              "does not need",
              op);
        }
    }
  }

  std::string_view rest_;
  const std::span<const std::string_view> names_;
  std::deque<PickleNode>& nodes_;
  std::vector<PickleNode*> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint32_t, PickleNode*> memo_;
  absl::Status status_;
  bool stopped_ = false;
};

}  // namespace

absl::StatusOr<Pickle> Pickle::Parse(std::string_view bytes,
                                     std::span<const std::string_view> names) {
  if (bytes.size() > kMaxBytes) {
    return Invalid("the pickle has {} bytes, more than a dict of tensors needs",
                   bytes.size());
  }
  Pickle pickle;
  auto root = Machine(bytes, names, pickle.nodes_).Run();
  if (!root.ok()) return root.status();
  pickle.root_ = *root;
  return pickle;
}

}  // namespace larr
