// SPDX-License-Identifier: Apache-2.0
//
// Where stage 2 starts from (paper eq. 10). Last hidden states of a language
// model differ little: most of a state says which slot it is of, and cosines
// between any two texts are near 1. A projection that starts at random stays
// there: the loss at chance, its gradient next to nothing.
//
// So the projection starts as a linear map that was fitted to states of single
// slots. One coordinate is the same for all texts: a slot that says nothing
// about the other side of a pair needs a place that is equally near to all. The
// others see nothing of the slots' means, and together have half its length;
// which they are, and their order, is what the fits below differ in.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace larr {

// Two descriptions that belong together, as rows of the slots' states.
struct SlotPair {
  std::vector<int64_t> a, b;  // not empty
  std::string group;          // for example a city
};

// Pairs of one kind and the weight of their loss.
struct SlotPairs {
  std::vector<SlotPair> pairs;
  double weight = 1;
  // How much of the correlation is taken within groups, where what a group has
  // in common does not count, in [0, 1]. As the share of batches whose
  // negatives are of the positive's group.
  double within_groups = 0;
};

// Both take states float32 [n, h], each of a text of one slot; slot[i] is equal
// for texts of the same slot. Return C float32 [h, h]: the coordinates of a
// state are C state, and the vector that training starts from is the first of
// them. Row 0 is the common one; the size of the others falls from row 1 on, so
// that an optimizer whose steps are alike for all weights stirs up little
// noise.
// REQUIRES: n > 0

// What the sides of a pair share, weighted by how much they share it
// (regularised canonical correlation across the pairs, the linear solution of a
// spectral contrastive loss). REQUIRES: pairs of a kind with a positive weight
torch::Tensor FitLinearStart(const torch::Tensor& states,
                             const std::vector<int32_t>& slot,
                             const std::vector<SlotPairs>& kinds);

// The principal components of the states, without a look at pairs: directions
// in which texts of a slot differ most, equally long; those that only tell
// slots apart, the last, are 0.
torch::Tensor FitPrincipalComponents(const torch::Tensor& states,
                                     const std::vector<int32_t>& slot);

// The axes that FitPrincipalComponents is about, for who wants those alone:
// orthonormal rows, float32 [h, h], the direction of most variance first.
torch::Tensor PrincipalAxes(const torch::Tensor& states,
                            const std::vector<int32_t>& slot);

}  // namespace larr
