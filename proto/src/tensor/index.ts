export { type ContentsField, DATATYPES, type Datatype, traitsOf } from "./datatype.ts";
export { elementCount, MOST_DIMENSIONS, type Tensor, typedElements } from "./tensor.ts";
export { type BytesResult, bytesOfContents, CONTENTS_FIELDS, isEmptyContents } from "./tensor-contents.ts";
