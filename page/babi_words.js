// SPDX-License-Identifier: Apache-2.0
// Words that ntm-babi knows, by what they are, and stories that it can answer about. tests/page checks that its vocabulary
// has them all.

export const MODEL = "ntm-babi";

export const WORDS = [
  ["people", "Mary John Sandra Daniel Bill Fred Jeff Julie Antoine Sumit Jason Yann Lily Brian Greg Julius"],
  ["animals", "cat mouse sheep wolf lion frog rhino swan"],
  ["places", "kitchen garden office bathroom bedroom hallway park school cinema"],
  ["things", "apple football milk box suitcase chocolate container"],
  ["colors", "gray green white yellow"],
  ["shapes", "triangle red sphere square pink rectangle blue"],
  ["doing", "went moved travelled journeyed took picked got grabbed dropped discarded put gave handed passed"],
  ["being", "is was hungry thirsty tired bored afraid inside above below left right bigger fits north south east west"],
  ["asking", "where what who why how many is does"],
];

export const STORIES = [
  {
    title: "Where is the milk?",
    facts: [
      "Mary went to the kitchen.",
      "John moved to the garden.",
      "Mary picked up the milk there.",
      "Sandra travelled to the office.",
      "Mary journeyed to the bathroom.",
      "Mary dropped the milk.",
      "Mary moved to the hallway.",
    ],
    question: "Where is the milk?",
  },
  {
    title: "What is she afraid of?",
    facts: [
      "Sheep are afraid of wolves.",
      "Mice are afraid of cats.",
      "Gertrude is a sheep.",
      "Emily is a mouse.",
      "Cats are afraid of sheep.",
      "Winona is a mouse.",
    ],
    question: "What is Gertrude afraid of?",
  },
  {
    title: "What color is Greg?",
    facts: ["Lily is a swan.", "Brian is a frog.", "Lily is gray.", "Brian is green.", "Greg is a swan."],
    question: "What color is Greg?",
  },
  {
    title: "Why did he go there?",
    facts: [
      "Sumit is tired.",
      "Jason is hungry.",
      "Jason went to the kitchen.",
      "Jason grabbed the apple there.",
      "Sumit went to the bedroom.",
    ],
    question: "Why did Sumit go to the bedroom?",
  },
  {
    title: "What is she carrying?",
    facts: [
      "Sandra got the football there.",
      "Sandra took the apple there.",
      "Daniel went to the park.",
      "Sandra went to the cinema.",
      "Sandra dropped the football.",
    ],
    question: "What is Sandra carrying?",
  },
];
