// SPDX-License-Identifier: Apache-2.0
// Lower case against Python's str.lower().
#include "models/text/lower_case.h"

#include <gtest/gtest.h>

namespace heed {
namespace {

TEST(LowerCase, IsPythons) {
  EXPECT_EQ(LowerCase(""), "");
  EXPECT_EQ(LowerCase("A Baker's ÖFEN, STRASSE ẞ."), "a baker's öfen, strasse ß.");
  EXPECT_EQ(LowerCase("ŒUVRE Ǆ ЖУК Ⅷ"), "œuvre ǆ жук ⅷ");
  EXPECT_EQ(LowerCase("İSTANBUL I"), "i\xcc\x87stanbul i");  // two characters for one; no Turkish rules
  EXPECT_EQ(LowerCase("ΟΔΟΣ ΣΟΦΙΑΣ. Σ"), "οδος σοφιας. σ");  // sigma at the end of a word
  EXPECT_EQ(LowerCase("東京 서울 \xf0\x90\x90\x80"), "東京 서울 \xf0\x90\x90\xa8");  // Deseret
}

}  // namespace
}  // namespace heed
