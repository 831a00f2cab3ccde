// SPDX-License-Identifier: Apache-2.0
#include "common/base/read_ahead.h"

#include <catch2/catch.hpp>
#include <future>
#include <thread>

namespace larr {
namespace {

TEST_CASE("An item is there while the next one is made", "[base]") {
  std::promise<void> go;
  int made = 0;
  ReadAhead<int> items(2, [&]() -> absl::StatusOr<int> {
    if (made == 1) go.get_future().wait();
    return ++made;
  });
  CHECK(items.Next().value() == 1);
  go.set_value();
  CHECK(items.Next().value() == 2);
}

TEST_CASE("Nothing is made past the last item", "[base]") {
  int made = 0;
  for (const int count : {3, 0}) {
    made = 0;
    {
      ReadAhead<int> items(count,
                           [&]() -> absl::StatusOr<int> { return ++made; });
      for (int i = 1; i <= count; ++i) CHECK(items.Next().value() == i);
      CHECK(made == count);
    }
    CHECK(made == count);
  }
}

TEST_CASE("What is being made is there once no more is wanted", "[base]") {
  std::promise<void> go;
  int made = 0;
  ReadAhead<int> items(3, [&]() -> absl::StatusOr<int> {
    if (made == 1) go.get_future().wait();
    return ++made;
  });
  CHECK(items.Next().value() == 1);
  std::thread later([&] { go.set_value(); });
  items.Stop();
  CHECK(made == 2);
  later.join();
}

TEST_CASE("Nothing is made after an error", "[base]") {
  int made = 0;
  {
    ReadAhead<int> items(5, [&]() -> absl::StatusOr<int> {
      if (++made == 2) return absl::DataLossError("torn");
      return made;
    });
    CHECK(items.Next().value() == 1);
    CHECK(absl::IsDataLoss(items.Next().status()));
  }
  CHECK(made == 2);
}

}  // namespace
}  // namespace larr
