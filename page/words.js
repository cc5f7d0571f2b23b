// SPDX-License-Identifier: Apache-2.0
// Words of a tokenizer's pieces, and an attention between pieces as one between words.

const BEGIN = "\u2581"; // SentencePiece: a piece that begins a word
const GOES_ON = "@@"; // subword-nmt: a piece that the next one goes on with
const SPECIAL = /^<.*>$/u;
const MARKS = /^[^\p{L}\p{N}]+$/u;

// Words as [{text, glued, pieces: [index]}]. `glued`: no space stands before it. Marks are words of their own, so that
// what a word attends to is not mixed with what its comma does.
export function wordsOf(pieces) {
  const spaced = pieces.some((piece) => piece.startsWith(BEGIN));
  const words = [];
  let goesOn = false;
  let isMark = false;
  pieces.forEach((piece, index) => {
    const begins = spaced ? piece.startsWith(BEGIN) : !goesOn;
    goesOn = !spaced && piece.endsWith(GOES_ON);
    let text = spaced && begins ? piece.slice(1) : piece;
    if (goesOn) text = text.slice(0, -GOES_ON.length);
    const special = SPECIAL.test(piece);
    const marks = !special && text !== "" && MARKS.test(text);
    const last = words.at(-1);
    if (last && !begins && !special && (last.text === "" || (!marks && !isMark))) {
      last.text += text;
      last.pieces.push(index);
    } else {
      words.push({ text: special ? "end" : text, special, glued: !begins, pieces: [index] });
    }
    isMark = marks || special;
  });
  return words;
}

// Each piece by itself, as the model has it.
export function piecesOf(pieces) {
  return pieces.map((piece, index) => ({ text: SPECIAL.test(piece) ? "end" : piece.replace(BEGIN, "·"), special: SPECIAL.test(piece), glued: false, pieces: [index] }));
}

// What a target word attends to: the mean over its pieces; of a source word it is the sum over its pieces. Rows still
// sum to 1. `weights` by rows of `columns` pieces.
export function attentionOf(targets, sources, weights, columns) {
  const made = new Float32Array(targets.length * sources.length);
  targets.forEach((target, row) => {
    sources.forEach((source, column) => {
      let sum = 0;
      for (const i of target.pieces) for (const j of source.pieces) sum += weights[i * columns + j];
      made[row * sources.length + column] = sum / target.pieces.length;
    });
  });
  return made;
}
