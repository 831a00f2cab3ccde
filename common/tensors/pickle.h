// SPDX-License-Identifier: Apache-2.0
//
// Python's pickle as data: a tree of what the bytes describe. Nothing is ever
// called or imported. A pickle names functions and classes to be run when it
// is read; here each is a node of the tree for the caller to look at, and one
// that the caller did not list ends the reading.
//
// Known are the instructions that torch.save writes for a dict of tensors
// (protocols 2 to 4; Lib/pickletools.py of CPython lists them all). LibTorch's
// own torch::jit::Unpickler does not read the state dict of a module, whose
// `_metadata` is an attribute (BUILD of a dict), and takes a tensor's size,
// stride and offset as they come.
//
// Ownership:  nodes belong to the Pickle.
// Threads:    a value; const methods may be called concurrently.
// Errors:     kDataLoss         it ends early, or is no pickle
//             kInvalidArgument  an instruction or a name that is not known
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace larr {

struct PickleNode {
  struct Name {  // of a function or class: "collections.OrderedDict"
    std::string text;
  };
  struct Call {  // what calling `function` would have made
    std::string function;
    const PickleNode* arguments;
  };
  struct Persistent {  // what is stored beside the pickle
    const PickleNode* id;
  };
  using List = std::vector<const PickleNode*>;  // or tuple
  using Dict = std::vector<std::pair<const PickleNode*, const PickleNode*>>;

  std::variant<std::monostate, bool, int64_t, double, std::string, List, Dict,
               Name, Call, Persistent>
      value;

  // The value if it is of this kind, else null.
  template <typename T>
  const T* As() const {
    return std::get_if<T>(&value);
  }
};

class Pickle {
 public:
  // `names`: the functions and classes that may stand in it.
  static absl::StatusOr<Pickle> Parse(std::string_view bytes,
                                      std::span<const std::string_view> names);

  const PickleNode& root() const { return *root_; }

 private:
  std::deque<PickleNode> nodes_;  // a deque: nodes stay where they are
  const PickleNode* root_ = nullptr;
};

}  // namespace larr
